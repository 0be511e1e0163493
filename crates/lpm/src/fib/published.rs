//! A value that is replaced as a whole, and those who follow it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

/// The writer's side.
pub(super) struct Published<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    /// Counts the values of `current`.
    generation: AtomicU64,
    /// Held for as long as it takes to copy a pointer.
    current: Mutex<Arc<T>>,
}

impl<T> Published<T> {
    pub(super) fn new(value: Arc<T>) -> Self {
        Self { shared: Arc::new(Shared { generation: AtomicU64::new(0), current: Mutex::new(value) }) }
    }

    pub(super) fn replace(&self, value: Arc<T>) {
        let mut current = self.shared.current.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, value);
        self.shared.generation.fetch_add(1, Ordering::Release);
        drop(current);
        // Freeing it, if nobody else holds it, takes longer than readers should find the lock taken.
        drop(before);
    }

    pub(super) fn subscribe(&self) -> Subscription<T> {
        let current = self.shared.current.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.shared.generation.load(Ordering::Acquire);
        Subscription { shared: Arc::clone(&self.shared), generation, value: Arc::clone(&current) }
    }
}

/// A reader's side.
pub(super) struct Subscription<T> {
    shared: Arc<Shared<T>>,
    /// Of `value`.
    generation: u64,
    value: Arc<T>,
}

impl<T> Subscription<T> {
    /// The newest value, or the one before while the newest is just being put in place.
    #[inline]
    pub(super) fn latest(&mut self) -> &T {
        if self.shared.generation.load(Ordering::Acquire) != self.generation {
            self.follow();
        }
        &self.value
    }

    #[cold]
    fn follow(&mut self) {
        let current = match self.shared.current.try_lock() {
            Ok(current) => current,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        self.generation = self.shared.generation.load(Ordering::Acquire);
        self.value = Arc::clone(&current);
    }
}

impl<T> Clone for Subscription<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), generation: self.generation, value: Arc::clone(&self.value) }
    }
}
