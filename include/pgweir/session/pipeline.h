#pragma once

#include "pgweir/base/check.h"
#include "pgweir/wire/backend.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

/// The reply ledger: for each server, what it still owes, in order. It alone says whose a reply is
/// and whether the server is clean. It never guesses: a reply that does not fit is a mismatch, and
/// the server is closed.
/// See: protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY, #PROTOCOL-COPY
namespace pgweir::session {

struct StatementChange;

/// The request that a reply belongs to.
enum class Request : uint8_t {
    Parse,
    Bind,
    Describe,
    Execute,
    Close,
    Sync,
    Query,     // simple protocol: any number of replies up to ReadyForQuery
    Function,  // the same
    CopyEnd,   // CopyDone or CopyFail: owes nothing, but tells Syncs before from Syncs after
};

/// What becomes of the reply.
enum class Delivery : uint8_t {
    Forward,     // the client asked
    Swallow,     // pgweir asked, the client must not see it
    Synthesize,  // the client asked, the server was not: pgweir answers when its turn comes
};

struct Expected {
    Request request = Request::Sync;
    Delivery delivery = Delivery::Forward;
    bool unnamed : 1 = false;           // a Parse of the unnamed statement
    bool may_fail : 1 = false;          // pgweir asked, and can do without
    bool begins : 1 = false;            // of the BEGIN that its client was answered before
    uint32_t epoch = 0;                 // of the statement that is bound or described
    StatementChange* change = nullptr;  // what the reply confirms, or its absence takes back
};

static_assert(sizeof(Expected) == 16);  // so that it travels in registers

enum class Verdict : uint8_t { Forward, Swallow, Mismatch };

/// Learns what became of entries that carry a change.
class PipelineEvents {
public:
    virtual void on_confirmed(const Expected& entry) = 0;

    /// The server failed the request or will skip it. Called newest first.
    virtual void on_skipped(const Expected& entry) = 0;

    /// The last Parse of the unnamed statement that was sent failed, or will be skipped.
    /// `by_client`: one that the client sent; pgweir's own repeat what the client has anyway.
    virtual void on_unnamed_lost(bool /*by_client*/) {}

protected:
    ~PipelineEvents() = default;
};

class Pipeline {
public:
    /// Beyond it the client is not read until replies arrive.
    static constexpr size_t kExpectedMax = 16384;

    /// Notes a request that was or is about to be sent.
    /// Invariant: called in the order in which the server reads.
    void expect(Expected entry, PipelineEvents& events);

    /// Notes a Flush that will fail: it owes nothing, but the server then waits for a Sync.
    void note_flush() { batch_open_ = true; }

    /// Judges the next message of the server; `status` only counts for ReadyForQuery.
    Verdict on_reply(char type, PipelineEvents& events);

    /// Of the statement whose use is answered next; zero where none is.
    uint32_t epoch_of_front() const { return empty() ? 0 : front().epoch; }

    /// True exactly when an extended message was sent after the last Sync.
    bool batch_open() const { return batch_open_; }

    /// True exactly when the server takes data of a COPY: until its end it ignores Flush and Sync.
    bool takes_copy_data() const { return copy_ == Copy::In && !skipping_; }

    /// True exactly when it has ignored the Sync that was sent with the COPY of an Execute: another
    /// one follows the data.
    bool copy_awaits_sync() const {
        return copy_ != Copy::None && !skipping_ && copies_by_execute() && sync_ignored_ &&
               batch_open_;
    }

    /// True exactly when something of the open batch was sent, and may have been run.
    bool batch_sent() const { return batch_sent_; }

    /// True exactly when the failure of what is answered next is of no interest.
    bool front_may_fail() const { return !empty() && front().may_fail; }

    /// True exactly when nothing was sent behind a deferred BEGIN that is not answered.
    bool ends_with_begin() const { return !empty() && ring_[(end_ - 1) & mask()].begins; }

    /// True exactly when a deferred BEGIN is not answered. The Close of its portal, behind it,
    /// finds the transaction begun.
    bool owes_begin() const {
        return !empty() && front().begins && front().request != Request::Close;
    }

    /// True exactly when the next reply owed is one that pgweir makes itself.
    bool synthesis_due() const { return !empty() && front().delivery == Delivery::Synthesize; }

    Expected take_synthesized(PipelineEvents& events);

    /// True exactly when one batch is owed, from its Bind on, and nothing behind it.
    bool is_one_batch_from_bind() const;

    /// Behind an error: the ReadyForQuery of this batch or query is not for the client. False: none
    /// is owed.
    bool swallow_ready();

    bool empty() const { return begin_ == end_; }

    size_t size() const { return end_ - begin_; }

    bool full() const { return size() >= kExpectedMax; }

    const Expected& front() const { return ring_[begin_ & mask()]; }

    /// True exactly when the server owes nothing and no batch is open: its next ReadyForQuery-state
    /// is known, and whoever comes next finds the protocol at rest.
    bool at_rest() const { return empty() && !batch_open_ && !skipping_; }

    /// True exactly when a COPY failed whose Syncs were taken for ignored. The server may have read
    /// one of them after the failure, and then owes one ReadyForQuery more than is written here.
    bool one_more_ready_possible() const { return one_more_ready_; }

    /// How many of the entries pgweir answers itself.
    size_t synthesized() const { return synthesized_; }

    /// True exactly when the server discards what is sent until the next Sync.
    bool skipping() const { return skipping_; }

    /// The number of Syncs sent so far: what is pending from an earlier batch may have been
    /// skipped.
    uint32_t batch() const { return batch_; }

    /// True exactly when a Parse or Close of this name stands in a batch before the one that is
    /// being sent: whether the name is taken is not known yet.
    bool name_undecided(std::string_view name) const;

    /// True exactly when the last Parse of the unnamed statement stands in a batch before the one
    /// that is being sent, unanswered: whether it counts is not known yet.
    bool unnamed_undecided() const;

    /// True exactly when an earlier query or batch is not answered yet: whether it leaves a failed
    /// transaction behind is not known.
    bool batch_pending() const;

    template <class Visitor>
    void for_each_behind_front(Visitor&& visit) const {
        for (size_t i = begin_ + 1; i < end_; ++i) visit(ring_[i & mask()]);
    }

    /// Forgets everything; for a server that is closed. Gives back the changes.
    template <class Visitor>
    void clear(Visitor&& visit) {
        while (!empty()) {
            visit(ring_[begin_ & mask()]);
            ++begin_;
        }
    }

private:
    enum class Copy : uint8_t { None, In, Ended };  // Ended: its CopyEnd stands in the ledger

    size_t mask() const { return capacity_ - 1; }

    Expected& at(size_t position) { return ring_[position & mask()]; }

    void push(Expected entry) {
        if (size() == capacity_) return push_larger(entry);
        at(end_) = entry;
        ++end_;
        if (entry.delivery == Delivery::Synthesize) ++synthesized_;
        if (!entry.unnamed) return;
        ++unnamed_owed_;
        unnamed_batch_ = batch_;
    }

    void pop(PipelineEvents& events) {
        const Expected done = front();
        ++begin_;
        if (done.delivery == Delivery::Synthesize) --synthesized_;
        if (done.unnamed) --unnamed_owed_;
        if (done.change != nullptr) confirm(done, events);
        drop_copy_ends();
    }

    /// A mark owes nothing: it never stands in front.
    void drop_copy_ends() {
        while (!empty() && front().request == Request::CopyEnd) ++begin_;
    }

    void push_larger(Expected entry);
    static void confirm(Expected done, PipelineEvents& events);
    void finish_copy();

    bool copies_by_execute() const { return !empty() && front().request == Request::Execute; }

    void ignore_syncs_of_copy_in();
    void skip_to_sync(PipelineEvents& events);
    Verdict on_error(PipelineEvents& events);
    Verdict on_ready(PipelineEvents& events);
    Verdict on_simple_reply(char type);
    Verdict complete(Request request, PipelineEvents& events);

    std::unique_ptr<Expected[]> ring_;
    size_t capacity_ = 0;  // a power of two, or zero
    size_t begin_ = 0;
    size_t end_ = 0;
    size_t synthesized_ = 0;
    uint32_t batch_ = 0;
    Copy copy_ = Copy::None;
    bool batch_open_ =
        false;  // True exactly when an extended message was sent after the last Sync.
    bool batch_sent_ = false;
    uint32_t unnamed_owed_ = 0;   // Parses of the unnamed statement that are not answered
    uint32_t unnamed_batch_ = 0;  // of the last of them
    bool skipping_ = false;       // True exactly when the server discards what comes until a Sync.
    bool sync_ignored_ = false;   // True exactly when a Sync of the COPY under way is not awaited.
    bool one_more_ready_ = false;
};

}  // namespace pgweir::session
