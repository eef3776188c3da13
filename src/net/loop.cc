#include "pgweir/net/loop.h"

#include "pgweir/net/socket_stream.h"

#include <algorithm>
#include <chrono>

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pgweir::net {
namespace {

// epoll counts in milliseconds; rounded up, so that a wait never ends just before its time.
int to_epoll_ms(Duration wait) {
    if (wait <= Duration::zero()) return 0;
    return static_cast<int>((to_microseconds(wait) + 999) / 1000);
}

}  // namespace

Loop::Loop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      now_(read_clock()),
      next_tick_(now_ + kTick),
      streams_(new Slab<SocketStream>),
      timed_(new IntrusiveList<SocketStream>),
      read_buffer_(std::make_unique<std::array<uint8_t, kReadBytes>>()) {
    PGW_CHECK(epoll_ >= 0);
    PGW_CHECK(uv_loop_init(&uv_) == 0);
    PGW_CHECK(watch(uv_backend_fd(&uv_), resolver_, EPOLLIN));
}

Loop::~Loop() {
    housekeeper_ = nullptr;  // it is gone by now
    streams_->for_each([](SocketStream& stream) { stream.release(); });
    uv_run(&uv_, UV_RUN_DEFAULT);  // names whose resolution was under way
    finish_round();
    uv_loop_close(&uv_);
    ::close(epoll_);
    delete timed_;
    delete streams_;
}

void Loop::run() {
    while (!stopping_) round();
}

void Loop::round() {
    std::array<epoll_event, kEventsMax> events;
    // Not by the C library's function, see socket_stream.cc.
    const int count = static_cast<int>(
        ::syscall(SYS_epoll_pwait, epoll_, events.data(), kEventsMax, wait_ms(), nullptr, 0));
    refresh_now();
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<size_t>(i)];
        static_cast<Watched*>(event.data.ptr)->on_ready(event.events);
    }
    if (std::exchange(resolver_due_, false)) uv_run(&uv_, UV_RUN_NOWAIT);
    if (now_ >= next_tick_) tick();
    finish_round();
}

int Loop::wait_ms() const {
    if (!deferred_.empty() || resolver_due_ || wake_wanted_) return 0;
    return to_epoll_ms(next_tick_ - now_);
}

void Loop::finish_round() {
    const std::vector<Handle> due = std::exchange(deferred_, {});
    for (const Handle handle : due) {
        if (SocketStream* stream = streams_->find(handle)) stream->run_deferred();
    }
    if (std::exchange(wake_wanted_, false) && housekeeper_ != nullptr) housekeeper_->before_wait();
    for (const Handle handle : buried_) streams_->destroy(handle);
    buried_.clear();
}

void Loop::tick() {
    next_tick_ = now_ + kTick;
    std::vector<Handle> due;  // one may end others
    timed_->for_each([&](SocketStream& stream) {
        if (now_ >= stream.deadline_) due.push_back(stream.handle_);
    });
    for (const Handle handle : due) {
        if (SocketStream* stream = streams_->find(handle)) stream->sweep();
    }
    if (housekeeper_ != nullptr) housekeeper_->on_tick();
}

bool Loop::watch(int descriptor, Watched& watched, uint32_t events) {
    epoll_event event{.events = events, .data = {.ptr = &watched}};
    return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void Loop::change_watch(int descriptor, Watched& watched, uint32_t events) {
    epoll_event event{.events = events, .data = {.ptr = &watched}};
    PGW_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) == 0);
}

void Loop::forget(int descriptor) {
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
}

Instant Loop::read_clock() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return Instant(std::chrono::duration_cast<Duration>(now));
}

void Loop::refresh_now() {
    now_ = read_clock();
}

Wake::Wake(Loop& loop, Owner& owner)
    : owner_(owner), descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    PGW_CHECK(descriptor_ >= 0);
    PGW_CHECK(loop.watch(descriptor_, *this, EPOLLIN));
}

Wake::~Wake() {
    ::close(descriptor_);
}

void Wake::call() {
    constexpr uint64_t kOne = 1;
    // It fails only when the counter is at its end, and then the loop is awake in any case.
    [[maybe_unused]] const auto written = ::write(descriptor_, &kOne, sizeof kOne);
}

void Wake::on_ready(uint32_t) {
    uint64_t calls = 0;
    [[maybe_unused]] const auto got = ::read(descriptor_, &calls, sizeof calls);
    owner_.on_woken();
}

}  // namespace pgweir::net
