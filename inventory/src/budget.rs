//! How much work and memory the reading of one text from outside may take.
//!
//! Pages and feeds come from strangers. Each reader pays for what it does, in every loop, and stops once the budget is
//! spent; whoever asked for the reading then uses what was found, and says that the text was too complex.

use std::cell::Cell;

/// Steps that any text may take, and the further ones for each of its bytes. An ordinary page takes
/// about a third of them. The longest page, of ten megabytes, has about 250 million, which take less than a second.
const FLOOR_STEPS: usize = 4_000_000;
const STEPS_A_BYTE: usize = 24;

/// The same for bytes of memory. An ordinary page takes about a third of them.
const FLOOR_BYTES: usize = 4 * 1024 * 1024;
const BYTES_A_BYTE: usize = 12;

/// Most bytes of memory. The page itself takes ten megabytes beside them, and a parsed block about twenty.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// What is left of the steps and bytes of one text. A step is about one byte that is looked at: a few nanoseconds.
#[derive(Debug)]
pub struct Budget {
    steps: Cell<usize>,
    bytes: Cell<usize>,
    taken: Cell<usize>,
    exceeded: Cell<bool>,
}

impl Budget {
    /// The budget of a text of this length in bytes.
    #[must_use]
    pub fn of(length: usize) -> Self {
        let steps = FLOOR_STEPS.saturating_add(length.saturating_mul(STEPS_A_BYTE));
        let bytes = FLOOR_BYTES.saturating_add(length.saturating_mul(BYTES_A_BYTE));
        Self::new(steps, bytes.min(MAX_BYTES))
    }

    /// A budget of this many steps and bytes of memory.
    #[must_use]
    pub const fn new(steps: usize, bytes: usize) -> Self {
        Self {
            steps: Cell::new(steps),
            bytes: Cell::new(bytes),
            taken: Cell::new(0),
            exceeded: Cell::new(false),
        }
    }

    /// A budget that is never spent, for measuring how many steps a text takes.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self::new(usize::MAX, usize::MAX)
    }

    /// Pays for work. False if the budget does not suffice; then it is spent.
    pub fn step(&self, steps: usize) -> bool {
        self.taken.set(self.taken.get().saturating_add(steps));
        self.pay(&self.steps, steps)
    }

    /// Pays for memory that is kept until the end of the reading. False if the budget does not suffice; then it is
    /// spent.
    pub fn keep(&self, bytes: usize) -> bool {
        self.pay(&self.bytes, bytes)
    }

    fn pay(&self, left: &Cell<usize>, amount: usize) -> bool {
        if let Some(rest) = left.get().checked_sub(amount) {
            left.set(rest);
            return true;
        }
        left.set(0);
        self.exceeded.set(true);
        false
    }

    /// Bytes of memory that are left.
    #[must_use]
    pub fn bytes_left(&self) -> usize {
        self.bytes.get()
    }

    /// Notes that something was left out because it would take too much, although something is left for other readers.
    pub fn exceed(&self) {
        self.exceeded.set(true);
    }

    /// Whether nothing more may be read.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.steps.get() == 0 || self.bytes.get() == 0
    }

    /// Whether anything was left out for want of budget.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        self.exceeded.get()
    }

    /// The steps that were asked for so far, those that were refused included. They depend on the text alone, so tests
    /// compare them in place of times.
    #[must_use]
    pub fn steps_taken(&self) -> usize {
        self.taken.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_that_does_not_suffice_is_spent() {
        let budget = Budget::new(10, 5);
        assert!(budget.step(7) && budget.keep(4) && !budget.is_exceeded());
        assert!(!budget.step(4) && budget.is_spent() && budget.is_exceeded());
        assert!(!budget.step(1), "it stays spent");
        assert_eq!(budget.steps_taken(), 12);
    }

    #[test]
    fn memory_is_refused_apart_from_work() {
        let budget = Budget::new(10, 5);
        assert!(!budget.keep(6) && budget.is_spent());
        let budget = Budget::new(10, 5);
        budget.exceed();
        assert!(budget.is_exceeded() && !budget.is_spent());
    }

    #[test]
    fn a_budget_grows_with_the_text_up_to_the_memory_of_a_container() {
        let [small, large] = [0, 10 * 1024 * 1024].map(Budget::of);
        assert_eq!(small.bytes_left(), FLOOR_BYTES);
        assert_eq!(large.bytes_left(), MAX_BYTES);
        assert!(large.step(FLOOR_STEPS + 10 * 1024 * 1024 * STEPS_A_BYTE) && !large.step(1));
    }
}
