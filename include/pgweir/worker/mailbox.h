#pragma once

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

namespace pgweir::worker {

/// Many threads put in, one loop takes out; without locks. Messages of one sender stay in order.
template <class T>
class Mailbox {
public:
    Mailbox() = default;
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    ~Mailbox() { take(); }

    /// True: the box was empty, and its loop has to be woken.
    /// Thread: any.
    [[nodiscard]] bool put(T message) {
        auto* node = new Node{std::move(message), nullptr};
        Node* head = newest_.load(std::memory_order_relaxed);
        do {
            node->older = head;
        } while (!newest_.compare_exchange_weak(head, node, std::memory_order_acq_rel,
                                                std::memory_order_relaxed));
        return head == nullptr;  // the node is the receiver's by now
    }

    /// Oldest first.
    /// Thread: the receiving loop's, after it was woken.
    std::vector<T> take() {
        Node* oldest = nullptr;
        for (Node* node = newest_.exchange(nullptr, std::memory_order_acq_rel); node != nullptr;) {
            Node* older = std::exchange(node->older, oldest);
            oldest = std::exchange(node, older);
        }
        std::vector<T> messages;
        while (oldest != nullptr) {
            const std::unique_ptr<Node> node(oldest);
            oldest = node->older;
            messages.push_back(std::move(node->message));
        }
        return messages;
    }

private:
    struct Node {
        T message;
        Node* older;  // while it is in the box; the next newer one while it is taken out
    };

    std::atomic<Node*> newest_{nullptr};
};

}  // namespace pgweir::worker
