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
            delete std::exchange(node, node->next);
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
        node->next = newest_.load(std::memory_order_relaxed);
        while (!newest_.compare_exchange_weak(node->next, node, std::memory_order_release,
                                              std::memory_order_relaxed)) {
        }
        uv_async_send(&async_);  // wakes coalesce: one take() empties the box
    }

    /// Oldest first.
    /// Thread: the receiving loop's.
    std::vector<T> take() {
        Node* oldest = nullptr;
        for (Node* node = newest_.exchange(nullptr, std::memory_order_acquire); node != nullptr;) {
            Node* older = std::exchange(node->next, oldest);
            oldest = std::exchange(node, older);
        }
        std::vector<T> messages;
        for (Node* node = oldest; node != nullptr;) {
            messages.push_back(std::move(node->message));
            delete std::exchange(node, node->next);
        }
        return messages;
    }

private:
    struct Node {
        T message;
        Node* next;  // the older one; take() turns it round
    };

    std::atomic<Node*> newest_{nullptr};
    uv_async_t async_{};
};

}  // namespace pgweir::worker
