#include "sim/fake_network.h"

#include <algorithm>

#include <fmt/format.h>

namespace pgweir::sim {

void FakeStream::usable(const char* call) const {
    if (gone_)
        network_.violations_.add(fmt::format("{}() on a stream that was closed or detached", call));
}

void FakeStream::send(std::span<const Bytes> pieces) {
    usable("send");
    if (gone_) return;
    if (!link_->connected) {
        network_.violations_.add("send() before on_connected");
        return;
    }
    if (link_->engine_finished) network_.violations_.add("send() after finish()");
    if (link_->kind == Link::Kind::Server) network_.events_.on_send_to_server(*this);
    if (link_->faulted) network_.events_.on_fault_met(*this);
    if (link_->reset || link_->far_closed) {
        return;  // reading will tell why
    }
    for (const Bytes piece : pieces) link_->to_far.append(as_text(piece));
    high_ = high_ || backlog() > network_.drained_below;
}

void FakeStream::pause() {
    usable("pause");
    paused_ = true;
}

void FakeStream::resume() {
    usable("resume");
    paused_ = false;
}

void FakeStream::finish() {
    usable("finish");
    link_->engine_finished = true;
}

void FakeStream::close() {
    usable("close");
    gone_ = true;
    link_->engine_closed = true;
    link_->to_engine.clear();
}

std::unique_ptr<DetachedStream> FakeStream::detach() {
    usable("detach");
    if (backlog() > 0) network_.violations_.add("detach() with a backlog");
    network_.events_.on_detach(*this);
    gone_ = true;
    link_->stream = nullptr;
    return std::make_unique<FakeDetached>(*link_);
}

FakeStream& FakeNetwork::open(Link::Kind kind, uint32_t engine, FarEnd* far, StreamEvents* owner) {
    Link& link = *links_.emplace_back(std::make_unique<Link>());
    link.kind = kind;
    link.engine = engine;
    link.far = far;
    link.number = next_number_++;
    // Mostly roomy, now and then so small that everything backs up.
    if (!fast && prng_.chance(30)) link.capacity = 16 + prng_.below(600);
    if (kind != Link::Kind::Client) {
        link.connected = false;
        link.fate = Link::Fate::Pending;
    }
    auto& stream = *streams_.emplace_back(std::make_unique<FakeStream>(*this, link));
    stream.owner_ = owner;
    link.stream = &stream;
    return stream;
}

FakeStream& FakeNetwork::adopt(std::unique_ptr<DetachedStream> detached,
                               uint32_t engine,
                               StreamEvents& owner) {
    Link& link = static_cast<FakeDetached&>(*detached).take();
    link.engine = engine;
    auto& stream = *streams_.emplace_back(std::make_unique<FakeStream>(*this, link));
    stream.owner_ = &owner;
    link.stream = &stream;
    return stream;
}

size_t FakeNetwork::cut_size(size_t available) {
    const size_t most = std::min(available, kReadMax);
    if (fast || prng_.chance(50)) return most;
    if (prng_.chance(30)) return std::min<size_t>(most, 1 + prng_.below(8));
    return 1 + prng_.below(most);
}

bool FakeNetwork::tell_engine(Link& link) {
    FakeStream* stream = link.stream;
    if (stream == nullptr || stream->gone_ || stream->owner_ == nullptr) return false;
    StreamEvents& owner = *stream->owner_;
    if (!link.connected) {
        if (link.fate == Link::Fate::Pending || link.fate == Link::Fate::Hanging) return false;
        link.connected = true;
        if (link.fate == Link::Fate::Up && !link.reset) {
            owner.on_connected();
            return true;
        }
        link.reset = true;
        link.loss_told = true;
        owner.on_lost("connection refused");
        return true;
    }
    const bool nobody_reads = link.reset || link.far_closed;
    if (stream->high_ && (nobody_reads || link.backlog() <= drained_below)) {
        stream->high_ = false;
        if (nobody_reads) link.to_far.clear();
        owner.on_drained();
        return true;
    }
    if (stream->paused_ || link.loss_told) return false;
    if (!link.to_engine.empty() && !link.reset) {
        if (link.faulted) events_.on_fault_met(*stream);
        // What was read belongs to the call: the owner may send, close or detach meanwhile.
        const size_t count = cut_size(link.to_engine.size());
        const std::string read = link.to_engine.substr(0, count);
        link.to_engine.erase(0, count);
        owner.on_bytes(as_bytes(read));
        return true;
    }
    if (!link.far_closed && !link.reset) return false;
    if (link.faulted) events_.on_fault_met(*stream);
    link.loss_told = true;
    owner.on_lost("the peer closed the connection");
    if (!stream->gone_) violations_.add("a lost stream was not closed by its owner");
    return true;
}

bool FakeNetwork::tell_far(Link& link) {
    if (link.far == nullptr || link.far_told || !link.connected) return false;
    if (link.reset) {
        link.far_told = true;
        link.far->on_far_closed();
        return true;
    }
    if (!link.to_far.empty() && !link.far_closed) {
        if (!link.far->reading()) return false;
        const size_t count = cut_size(link.to_far.size());
        const std::string read = link.to_far.substr(0, count);
        link.to_far.erase(0, count);
        link.far->on_far_bytes(as_bytes(read));
        return true;
    }
    if (!link.engine_closed && !link.engine_finished) return false;
    link.far_told = true;
    link.far->on_far_closed();
    return true;
}

int FakeNetwork::deliver_one() {
    if (links_.empty()) return kNothing;
    const size_t start = prng_.below(links_.size());
    const bool engine_first = prng_.chance(50);
    for (size_t i = 0; i < links_.size(); ++i) {
        Link& link = *links_[(start + i) % links_.size()];
        if (link.stalled) continue;
        const uint32_t engine = link.engine;
        if (engine_first && tell_engine(link)) return static_cast<int>(engine);
        if (tell_far(link)) return kFarEnd;
        if (!engine_first && tell_engine(link)) return static_cast<int>(engine);
    }
    return kNothing;
}

void FakeNetwork::cut(Link& link, bool gently) {
    link.faulted = true;
    if (link.stream != nullptr && !link.stream->gone_) events_.on_fault_met(*link.stream);
    if (gently && link.connected) {
        link.far_closed = true;
    } else {
        if (!link.connected) link.fate = Link::Fate::Refused;
        link.reset = true;
        link.to_engine.clear();
        link.to_far.clear();
    }
}

void FakeNetwork::sweep() {
    std::erase_if(links_, [](const auto& link) {
        return link->over() && (link->stream == nullptr || link->stream->gone());
    });
}

}  // namespace pgweir::sim
