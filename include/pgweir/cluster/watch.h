#pragma once

#include "pgweir/base/clock.h"
#include "pgweir/cluster/lag.h"
#include "pgweir/cluster/lsn.h"
#include "pgweir/cluster/view.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pgweir::cluster {

/// What a node said to one question.
struct Answer {
    Instant asked{};  // the question went out; what it says is not older than that
    bool in_recovery = false;
    Lsn lsn = 0;            // replayed in recovery, else where the next record begins
    uint32_t timeline = 0;  // zero: it did not say
    bool replay_paused = false;
    uint64_t number = 0;  // of the question, see Progress
};

/// What changes with a restart at most; asked less often.
struct Identity {
    uint64_t system_identifier = 0;
    WalLayout wal;
};

/// How long the watcher itself has to pause for that to be no node's fault; shorter than the
/// silence for which a node is given up.
inline Duration stall_of(Duration silence) {
    return std::min<Duration>(std::chrono::milliseconds(250), silence / 2);
}

/// What an administrator wants to be believed.
struct Limits {
    Duration silence = std::chrono::seconds(1);  // without an answer, until a node is unreachable
    Duration lag = std::chrono::seconds(1);      // of a standby that takes reads
};

/// Judges the nodes of one cluster by what they say, and says which one takes writes. It knows no
/// sockets and no clock: answers and times are told. What it believes:
/// - A node is of this cluster when it has the system identifier that most nodes had when all had
///   been heard or given up. Later only a new Watch may change that.
/// - The primary is the one node that takes writes on the newest timeline that any node of the
///   cluster was seen on. An older one that comes back is Stale; of two on the same timeline the
///   one that was primary before stays, and if neither was, there is none.
///   The first one is chosen when every node has been heard or given up.
/// - A standby that showed more than the primary's log holds does not follow that log: one of the
///   two was put back to an earlier state. Positions prove nothing then.
/// - What is not known is not healthy.
/// Thread: the control loop's.
class Watch {
public:
    /// A standby that was too far behind, or away, serves again when it has been well for as long.
    static constexpr Duration kReturnTime = std::chrono::milliseconds(500);

    /// Its first primary begins the epoch after `epoch`.
    Watch(size_t nodes, Limits limits, Instant now, uint32_t epoch = 0);

    void set_limits(Limits limits) { limits_ = limits; }

    void answered(size_t node, const Answer& answer, Instant now);
    void identified(size_t node, const Identity& identity);

    /// It could not be connected to, or the connection was lost, or it answered with an error.
    void failed(size_t node, std::string why);

    /// Makes the view anew. True exactly when the primary, the epoch or a node's state is another
    /// one than before. To be called often: time passes.
    bool judge(Instant now);

    const View& view() const { return view_; }

    /// The one that most nodes had. Zero: not known yet.
    uint64_t system_identifier() const { return system_identifier_; }

private:
    struct Node {
        std::optional<Answer> last;
        Instant heard{};  // when it came
        std::optional<Identity> identity;
        uint32_t timeline = 0;  // the last one that it said
        bool ahead = false;     // True exactly when it has what its primary's log does not hold.
        uint32_t failures = 0;  // since the last answer
        std::string failure;
        std::optional<Instant> well_since;  // as a standby
    };

    struct Verdict {
        NodeState state;
        std::string why;
    };

    void forgive_stall(Instant now);
    void adopt_identifier(Instant now);
    void choose_primary(Instant now);
    void follow_log(const Answer& answer, const WalLayout& wal);
    void doubt_those_ahead(const Answer& answer);
    bool is_ours(const Node& node) const;
    bool is_away(const Node& node, Instant now) const;
    bool all_were_heard(Instant now) const;
    bool is_deposed(const Node& node, Instant now) const;
    bool can_be_primary(size_t number, Instant now) const;
    Verdict verdict_on(size_t number, Instant now) const;
    Verdict verdict_on_absent(const Node& node, Instant now) const;
    Verdict verdict_on_writable(size_t number) const;
    Verdict verdict_on_standby(size_t number, Instant now) const;
    NodeView picture(size_t number, Verdict verdict, Instant now);

    Limits limits_;
    Instant started_;
    Instant judged_;
    std::vector<Node> nodes_;
    LogHistory log_;  // of the last primary
    uint64_t system_identifier_ = 0;
    uint32_t newest_timeline_ = 0;
    std::optional<size_t> last_primary_;  // also when it is away
    uint32_t last_primary_timeline_ = 0;
    bool deposed_ = false;  // True exactly when it said itself that it is the primary no more.
    View view_;
};

}  // namespace pgweir::cluster
