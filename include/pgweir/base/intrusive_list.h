#pragma once

#include "pgweir/base/check.h"

#include <cstddef>

namespace pgweir {

/// Links an object into at most one list. The object must not move while linked.
struct ListHook {
    ListHook() = default;
    ListHook(const ListHook&) = delete;
    ListHook& operator=(const ListHook&) = delete;

    bool linked() const { return next != nullptr; }

    ListHook* previous = nullptr;
    ListHook* next = nullptr;
};

/// A doubly linked list of objects that it does not own. T derives from ListHook tagged by Hook, so
/// an object in the wrong list does not compile.
template <class T, class Hook = ListHook>
class IntrusiveList {
public:
    IntrusiveList() {
        head_.next = &head_;
        head_.previous = &head_;
    }

    IntrusiveList(const IntrusiveList&) = delete;
    IntrusiveList& operator=(const IntrusiveList&) = delete;

    bool empty() const { return size_ == 0; }

    size_t size() const { return size_; }

    T& front() { return *to_object(head_.next); }

    T& back() { return *to_object(head_.previous); }

    /// The one behind it; nullptr at the end.
    T* after(T& object) {
        ListHook* next = to_hook(object).next;
        return next == &head_ ? nullptr : to_object(next);
    }

    /// The one in front of it; nullptr at the beginning.
    T* before(T& object) {
        ListHook* previous = to_hook(object).previous;
        return previous == &head_ ? nullptr : to_object(previous);
    }

    void push_front(T& object) { insert_after(head_, object); }

    void push_back(T& object) { insert_after(*head_.previous, object); }

    void erase(T& object) {
        ListHook& hook = to_hook(object);
        PGW_CHECK(hook.linked());
        hook.previous->next = hook.next;
        hook.next->previous = hook.previous;
        hook.next = nullptr;
        hook.previous = nullptr;
        --size_;
    }

    T& pop_front() {
        PGW_CHECK(!empty());
        T& object = front();
        erase(object);
        return object;
    }

    /// Visits each object; the visitor may erase the one it is given.
    template <class Visitor>
    void for_each(Visitor&& visit) {
        for (ListHook* at = head_.next; at != &head_;) {
            ListHook* following = at->next;
            visit(*to_object(at));
            at = following;
        }
    }

private:
    static ListHook& to_hook(T& object) { return static_cast<Hook&>(object); }

    static T* to_object(ListHook* hook) { return static_cast<T*>(static_cast<Hook*>(hook)); }

    void insert_after(ListHook& where, T& object) {
        ListHook& hook = to_hook(object);
        PGW_CHECK(!hook.linked());
        hook.previous = &where;
        hook.next = where.next;
        where.next->previous = &hook;
        where.next = &hook;
        ++size_;
    }

    ListHook head_;
    size_t size_ = 0;
};

}  // namespace pgweir
