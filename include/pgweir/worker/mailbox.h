#pragma once

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include <uv.h>

namespace pgweir::worker {

/// Many threads put in, one loop takes out; without locks. Messages of one sender stay in order.
template <class T>
class Mailbox {
public:
    Mailbox() = default;
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    ~Mailbox() {
        for (Node* node = newest_.exchange(nullptr); node != nullptr;) {
            delete std::exchange(node, node->older);
        }
    }

    /// Thread: the receiving loop's, before anybody posts.
    void open(uv_loop_t* loop, void* owner, uv_async_cb wake) {
        uv_async_init(loop, &async_, wake);
        async_.data = owner;
    }

    /// Thread: any.
    void post(T message) {
        auto* node = new Node{std::move(message), nullptr};
        node->older = newest_.load(std::memory_order_relaxed);
        while (!newest_.compare_exchange_weak(node->older, node, std::memory_order_release,
                                              std::memory_order_relaxed)) {
        }
        uv_async_send(&async_);  // wakes coalesce: one take() empties the box
    }

    /// Oldest first.
    /// Thread: the receiving loop's.
    std::vector<T> take() {
        std::vector<T> messages;
        for (Node* node = newest_.exchange(nullptr, std::memory_order_acquire); node != nullptr;) {
            messages.push_back(std::move(node->message));
            delete std::exchange(node, node->older);
        }
        for (size_t i = 0, j = messages.size(); i + 1 < j; ++i)
            std::swap(messages[i], messages[--j]);
        return messages;
    }

private:
    struct Node {
        T message;
        Node* older;
    };

    std::atomic<Node*> newest_{nullptr};
    uv_async_t async_{};
};

}  // namespace pgweir::worker
