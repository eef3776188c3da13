#include "pgweir/session/pipeline.h"

#include "pgweir/base/planted.h"
#include "pgweir/session/prepared.h"

#include <utility>

namespace pgweir::session {
namespace {

constexpr size_t kFirstRing = 16;

bool is_extended(Request request) {
    return request == Request::Parse || request == Request::Bind || request == Request::Describe ||
           request == Request::Execute || request == Request::Close;
}

bool is_simple(Request request) {
    return request == Request::Query || request == Request::Function;
}

Verdict to_verdict(Delivery delivery) {
    return delivery == Delivery::Forward ? Verdict::Forward : Verdict::Swallow;
}

}  // namespace

void Pipeline::expect(Expected entry, PipelineEvents& events) {
    if (entry.request == Request::Sync) {
        // While it takes COPY data the server ignores Sync: the client sent it with the Execute.
        const bool ignored = copy_ == Copy::In && !skipping_ && !planted(Bug::SyncInCopyCounted);
        ++batch_;
        batch_open_ = ignored && copies_by_execute();
        batch_sent_ = batch_sent_ && batch_open_;
        sync_ignored_ = sync_ignored_ || ignored;
        skipping_ = false;
        if (!ignored) push(entry);
        return;
    }
    if (entry.request == Request::CopyEnd) {
        if (copy_ == Copy::In) copy_ = Copy::Ended;
        if (!empty() && !skipping_) push(entry);
        drop_copy_ends();
        return;
    }
    // Until the Sync the server discards even simple queries.
    if (skipping_ &&
        !(planted(Bug::SynthesizedAfterError) && entry.delivery == Delivery::Synthesize)) {
        if (entry.change != nullptr) events.on_skipped(entry);
        if (entry.unnamed) events.on_unnamed_lost(entry.delivery != Delivery::Swallow);
        return;
    }
    // A simple query ends the transaction that extended messages before it had opened.
    batch_open_ = is_extended(entry.request);
    batch_sent_ = batch_open_ && (batch_sent_ || entry.delivery != Delivery::Synthesize);
    push(entry);
}

Verdict Pipeline::on_reply(char type, PipelineEvents& events) {
    switch (type) {
        case 'N':
        case 'S':
        case 'A': return Verdict::Forward;  // may come at any time; the caller knows for whom
        case 'E': return on_error(events);
        case 'Z': return on_ready(events);
    }
    if (empty()) return Verdict::Mismatch;
    const Expected& next = front();
    if (is_simple(next.request)) return on_simple_reply(type);

    const Verdict verdict = to_verdict(next.delivery);
    switch (type) {
        case '1': return complete(Request::Parse, events);
        case '2': return complete(Request::Bind, events);
        case '3': return complete(Request::Close, events);
        case 't': return next.request == Request::Describe ? verdict : Verdict::Mismatch;
        case 'T':
        case 'n': return complete(Request::Describe, events);
        case 'D':
        case 'd':
        case 'c':
        case 'H': return next.request == Request::Execute ? verdict : Verdict::Mismatch;
        case 'G':
            if (next.request != Request::Execute) return Verdict::Mismatch;
            ignore_syncs_of_copy_in();
            return verdict;
        case 'C':
        case 'I':
        case 's': return complete(Request::Execute, events);
    }
    return Verdict::Mismatch;
}

bool Pipeline::is_one_batch_from_bind() const {
    if (empty() || front().request != Request::Bind) return false;
    for (size_t i = begin_; i + 1 < end_; ++i) {
        if (!is_extended(ring_[i & mask()].request)) return false;
    }
    return ring_[(end_ - 1) & mask()].request == Request::Sync;
}

bool Pipeline::swallow_ready() {
    if (empty() || (front().request != Request::Sync && !is_simple(front().request))) return false;
    at(begin_).delivery = Delivery::Swallow;
    return true;
}

bool Pipeline::batch_pending() const {
    for (size_t i = begin_; i < end_; ++i) {
        const Request request = ring_[i & mask()].request;
        if (request == Request::Sync || is_simple(request)) return true;
    }
    return false;
}

bool Pipeline::name_undecided(std::string_view name) const {
    bool behind_sync = false;
    for (size_t i = end_; i-- > begin_;) {
        const Expected& entry = ring_[i & mask()];
        behind_sync = behind_sync || entry.request == Request::Sync;
        if (behind_sync && entry.change != nullptr && entry.change->name == name) return true;
    }
    return false;
}

bool Pipeline::unnamed_undecided() const {
    if (unnamed_owed_ == 0 || unnamed_batch_ == batch_) return false;
    bool behind_sync = false;  // a Sync that a COPY ignored is none
    for (size_t i = end_; i-- > begin_;) {
        const Expected& entry = ring_[i & mask()];
        behind_sync = behind_sync || entry.request == Request::Sync;
        if (entry.unnamed) return behind_sync;
    }
    return false;
}

Expected Pipeline::take_synthesized(PipelineEvents& events) {
    PGW_CHECK(synthesis_due());
    const Expected taken = front();
    pop(events);
    return taken;
}

void Pipeline::push_larger(Expected entry) {
    const size_t count = size();
    const size_t doubled = capacity_ == 0 ? kFirstRing : capacity_ * 2;
    auto larger = std::make_unique<Expected[]>(doubled);
    for (size_t i = 0; i < count; ++i) larger[i] = at(begin_ + i);
    ring_ = std::move(larger);
    capacity_ = doubled;
    begin_ = 0;
    end_ = count;
    push(entry);
}

void Pipeline::confirm(Expected done, PipelineEvents& events) {
    events.on_confirmed(done);
}

/// One query may copy several times: each end belongs to one of them.
void Pipeline::finish_copy() {
    const bool ended = copy_ == Copy::Ended;
    copy_ = Copy::None;
    sync_ignored_ = false;
    size_t mark = begin_ + 1;
    while (ended && mark < end_ && at(mark).request != Request::CopyEnd) ++mark;
    if (!ended || mark == end_) return;
    for (size_t i = mark + 1; i < end_; ++i) at(i - 1) = at(i);
    --end_;
}

Verdict Pipeline::complete(Request request, PipelineEvents& events) {
    const Expected& next = front();
    if (next.request != request || next.delivery == Delivery::Synthesize) return Verdict::Mismatch;
    const Verdict verdict = to_verdict(next.delivery);
    if (request == Request::Execute) {
        copy_ = Copy::None;
        sync_ignored_ = false;
    }
    pop(events);
    return verdict;
}

Verdict Pipeline::on_simple_reply(char type) {
    const Verdict verdict = to_verdict(front().delivery);
    if (front().request == Request::Function) return type == 'V' ? verdict : Verdict::Mismatch;
    switch (type) {
        case 'T':
        case 'D':
        case 'I':
        case 'H':
        case 'd':
        case 'c': return verdict;
        case 'C': finish_copy(); return verdict;
        case 'G': ignore_syncs_of_copy_in(); return verdict;
    }
    return Verdict::Mismatch;
}

void Pipeline::ignore_syncs_of_copy_in() {
    // Those that were sent behind the COPY and before its end: the server reads them as copy data
    // arrives and ignores them. CopyEnd, if the client has sent it already, is the border.
    copy_ = Copy::In;
    size_t keep = begin_ + 1;
    bool before_end = true;
    for (size_t i = begin_ + 1; i < end_; ++i) {
        if (at(i).request == Request::CopyEnd) {
            before_end = false;
            copy_ = Copy::Ended;
        }
        if (before_end && at(i).request == Request::Sync) {
            sync_ignored_ = true;
            continue;
        }
        at(keep) = at(i);
        ++keep;
    }
    const bool by_execute = copies_by_execute();
    bool sync_left = false;
    for (size_t k = begin_; k < keep; ++k) sync_left = sync_left || at(k).request == Request::Sync;
    // The batch of an Execute stays open until the Sync behind the copy's end.
    if (by_execute && !sync_left) batch_open_ = true;
    end_ = keep;
}

Verdict Pipeline::on_error(PipelineEvents& events) {
    if (empty()) {
        // An idle server that is being shut down says so. Behind a batch whose replies are all
        // given it can only be a malformed Flush: then the server waits for Sync.
        skipping_ = skipping_ || batch_open_;
        return Verdict::Forward;
    }
    const Expected failed = front();
    const bool ends_batch = copy_ == Copy::In && planted(Bug::CopyErrorEndsBatch);
    copy_ = Copy::None;
    one_more_ready_ = one_more_ready_ || std::exchange(sync_ignored_, false);
    if (is_extended(failed.request) && !ends_batch) {
        // A swallowed Parse failed on behalf of the client's Bind: the error is the client's.
        skip_to_sync(events);
        return Verdict::Forward;
    }
    return to_verdict(failed.delivery);
}

void Pipeline::skip_to_sync(PipelineEvents& events) {
    size_t sync = begin_;
    bool unnamed_lost = false;
    bool by_client = false;
    while (sync < end_ && at(sync).request != Request::Sync) ++sync;
    for (size_t i = sync; i-- > begin_;) {
        if (at(i).delivery == Delivery::Synthesize) --synthesized_;
        if (at(i).change != nullptr) events.on_skipped(at(i));
        unnamed_lost = unnamed_lost || at(i).unnamed;
        by_client = by_client || (at(i).unnamed && at(i).delivery != Delivery::Swallow);
        if (at(i).unnamed) --unnamed_owed_;
    }
    for (size_t i = sync; i < end_; ++i) unnamed_lost = unnamed_lost && !at(i).unnamed;
    if (unnamed_lost) events.on_unnamed_lost(by_client);
    skipping_ = sync == end_;
    begin_ = sync;
}

Verdict Pipeline::on_ready(PipelineEvents& events) {
    const bool due = !empty() && (front().request == Request::Sync || is_simple(front().request));
    // PostgreSQL would tell its client the same: it is that client's until it is done with it.
    if (!due && one_more_ready_) {
        skipping_ = false;  // it has read a Sync
        batch_open_ = false;
        return Verdict::Forward;
    }
    if (!due) return Verdict::Mismatch;
    const Expected& next = front();
    const Verdict verdict = to_verdict(next.delivery);
    copy_ = Copy::None;
    pop(events);
    return verdict;
}

}  // namespace pgweir::session
