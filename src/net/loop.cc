#include "pgweir/net/loop.h"

#include "pgweir/net/socket_stream.h"

#include <algorithm>
#include <chrono>

namespace pgweir::net {
namespace {

// How often streams that are closing are looked at.
constexpr uint64_t kSweepMs = 200;

}  // namespace

Loop::Loop()
    : now_(read_clock()),
      streams_(new Slab<SocketStream>),
      closing_(new IntrusiveList<SocketStream>),
      read_buffer_(std::make_unique<std::array<uint8_t, kReadBytes>>()) {
    PGW_CHECK(uv_loop_init(&loop_) == 0);
    uv_prepare_init(&loop_, &prepare_);
    prepare_.data = this;
    uv_prepare_start(&prepare_, on_prepare);
    uv_async_init(&loop_, &deferred_wake_, on_deferred);
    deferred_wake_.data = this;
    uv_timer_init(&loop_, &sweep_);
    sweep_.data = this;
    uv_timer_start(&sweep_, on_sweep, kSweepMs, kSweepMs);
}

Loop::~Loop() {
    streams_->for_each([](SocketStream& stream) { stream.release(); });
    uv_walk(
        &loop_,
        [](uv_handle_t* handle, void*) {
            if (uv_is_closing(handle) == 0) uv_close(handle, nullptr);
        },
        nullptr);
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
    delete closing_;
    delete streams_;
}

void Loop::run() {
    uv_run(&loop_, UV_RUN_DEFAULT);
}

Instant Loop::read_clock() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return Instant(std::chrono::duration_cast<Duration>(now));
}

void Loop::refresh_now() {
    now_ = read_clock();
}

void Loop::on_prepare(uv_prepare_t* prepare) {
    auto& self = *static_cast<Loop*>(prepare->data);
    if (!self.wake_wanted_ || self.housekeeper_ == nullptr) return;
    self.wake_wanted_ = false;
    self.housekeeper_->before_wait();
}

void Loop::defer(Handle stream) {
    deferred_.push_back(stream);
    uv_async_send(&deferred_wake_);
}

void Loop::on_deferred(uv_async_t* async) {
    auto& self = *static_cast<Loop*>(async->data);
    self.refresh_now();
    const std::vector<Handle> due = std::exchange(self.deferred_, {});
    for (const Handle handle : due) {
        if (SocketStream* stream = self.streams_->find(handle)) stream->run_deferred();
    }
}

void Loop::on_sweep(uv_timer_t* timer) {
    auto& self = *static_cast<Loop*>(timer->data);
    self.refresh_now();
    self.closing_->for_each([&](SocketStream& stream) { stream.sweep(self.now_); });
}

}  // namespace pgweir::net
