//! The cars that one source of a page mentions: all details of the job's car, only the VINs of
//! others.

use inventory::{budget::Budget, literal};
use serde_json::Value;
use url::Url;

use super::{
    quality::{Code, MAX_OTHER_VINS, MAX_WARNINGS, Warning},
    reader::Reader,
    record::Details,
    repair::{self, Repair},
    script::{self, MAX_VALUE_BYTES},
    value,
    vocabulary::Provenance,
};

/// Most sightings of the job's car kept of one source. Real pages repeat the car two or three
/// times.
const MAX_SIGHTINGS: usize = 8;

/// Most blocks parsed of one source, and the most bytes of them.
const MAX_BLOCKS: usize = 64;
const MAX_PARSED_BYTES: usize = 4 * MAX_VALUE_BYTES;

/// Steps for each byte of a block that is parsed, with the copy that its repair makes.
const PARSE_STEPS: usize = 4;

/// Most cars of one source whose details are read. Equal ones are kept once, so these are more than are kept.
const MAX_READ: usize = 32;

/// Steps that reading the details of a car takes beside those for its texts.
const READ_STEPS: usize = 2_000;

/// Bytes quoted in a report from the start of a bad block.
const HEAD_BYTES: usize = 24;

/// The field name in warnings about a block.
const BLOCK: &str = "block";

/// The place of a car on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It stands for itself: it may be what the page is about.
    Main,
    /// It is one of a list, or part of something else.
    Listed,
}

/// What a source says the page is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Main {
    /// The job's car.
    Ours,
    /// A car with another VIN.
    Other,
    /// A car without a VIN.
    Unnamed,
    /// Nothing, or several cars.
    Unknown,
}

/// The cars that one source mentions.
#[derive(Debug)]
pub struct Sightings<'s> {
    from: Provenance,
    /// The job's VIN, in upper case.
    vin: &'s str,
    /// The page's address.
    base: &'s Url,
    /// What the page may still take.
    budget: &'s Budget,
    /// Whether the source names the job's VIN.
    names_ours: bool,
    /// The sightings of the job's car.
    ours: Vec<Sighting>,
    /// The sightings of cars without a VIN. Two are enough to know that there are several.
    unnamed: Vec<Sighting>,
    /// The VINs of other cars.
    others: Vec<String>,
    /// Whether the job's car stands for itself somewhere, and another car.
    is_main: bool,
    has_other_main: bool,
    /// Details read so far.
    reads: usize,
    /// Whose site it is: name and place.
    dealer: Option<Details>,
    /// The warnings that belong to no single car.
    warnings: Vec<Warning>,
    /// The number of blocks so far, and their bytes.
    blocks: usize,
    bytes: usize,
}

/// The details of a car in one place of a page.
#[derive(Debug)]
struct Sighting {
    details: Details,
    warnings: Vec<Warning>,
}

impl<'s> Sightings<'s> {
    /// No sightings yet in the source `from` of the page at `base`, which should describe the car
    /// `vin`. The VIN must be in upper case. Reading it is paid from `budget`.
    #[must_use]
    pub fn new(from: Provenance, vin: &'s str, base: &'s Url, budget: &'s Budget) -> Self {
        Self {
            from,
            vin,
            base,
            budget,
            names_ours: false,
            ours: Vec::new(),
            unnamed: Vec::new(),
            others: Vec::new(),
            is_main: false,
            has_other_main: false,
            reads: 0,
            dealer: None,
            warnings: Vec::new(),
            blocks: 0,
            bytes: 0,
        }
    }

    /// The source that these sightings come from.
    #[must_use]
    pub fn source(&self) -> Provenance {
        self.from
    }

    /// Whether the source names the job's VIN.
    #[must_use]
    pub fn names_ours(&self) -> bool {
        self.names_ours
    }

    /// Pays for a part of the page. False if nothing more may be read.
    pub(crate) fn pay(&self, steps: usize) -> bool {
        self.budget.step(steps)
    }

    /// The budget of the page.
    pub(crate) fn budget(&self) -> &'s Budget {
        self.budget
    }

    /// Whether a text contains the job's VIN, in upper case.
    pub(crate) fn is_mentioned(&self, text: &str) -> bool {
        text.contains(self.vin)
    }

    /// Whether this is the job's VIN.
    pub(crate) fn is_ours(&self, vin: &str) -> bool {
        vin == self.vin
    }

    /// The VINs of other cars that the source names, without duplicates.
    #[must_use]
    pub fn others(&self) -> &[String] {
        &self.others
    }

    /// What the source says the page is about.
    pub(crate) fn main(&self) -> Main {
        match (self.is_main, self.has_other_main) {
            (true, false) => Main::Ours,
            (false, true) => Main::Other,
            (true, true) => Main::Unknown,
            (false, false) if self.unnamed.is_empty() => Main::Unknown,
            (false, false) => Main::Unnamed,
        }
    }

    /// Records that the source names a VIN in this place.
    pub(crate) fn name(&mut self, vin: String, role: Role) {
        let is_main = role == Role::Main;
        if vin == self.vin {
            self.names_ours = true;
            self.is_main |= is_main;
            return;
        }
        self.has_other_main |= is_main;
        if self.others.len() < MAX_OTHER_VINS && !self.others.contains(&vin) {
            self.others.push(vin);
        }
    }

    /// Records a car, and reads its details if it may be the job's car. One of a list may be only if it has the VIN.
    pub(crate) fn see(
        &mut self,
        vin: Option<String>,
        role: Role,
        read: impl FnOnce(&mut Reader<'_>) -> Details,
    ) {
        let (list, most) = match vin {
            Some(vin) => {
                let is_ours = vin == self.vin;
                self.name(vin, role);
                if !is_ours {
                    return;
                }
                (&mut self.ours, MAX_SIGHTINGS)
            }
            None if role == Role::Listed => return,
            None => (&mut self.unnamed, 2),
        };
        if list.len() == most || self.reads == MAX_READ || !self.budget.step(READ_STEPS) {
            return;
        }
        self.reads += 1;
        let mut reader = Reader::new(self.from, self.base, self.budget);
        let details = read(&mut reader);
        // Pages repeat whole blocks. Equal details are the same car and add nothing.
        if list.iter().all(|sighting| sighting.details != details) {
            list.push(Sighting { details, warnings: reader.into_warnings() });
        }
    }

    /// Records whose site it is. The first one that has a name counts.
    pub(crate) fn see_dealer(&mut self, read: impl FnOnce(&mut Reader<'_>) -> Details) {
        if self.dealer.is_some() || !self.budget.step(READ_STEPS) {
            return;
        }
        let details = read(&mut Reader::new(self.from, self.base, self.budget));
        self.dealer = details.dealer_name.is_some().then_some(details);
    }

    /// Whose site it is, if the source says so.
    pub(crate) fn dealer(&self) -> Option<&Details> {
        self.dealer.as_ref()
    }

    /// Whether no further block is parsed.
    pub(crate) fn is_spent(&self) -> bool {
        self.blocks > MAX_BLOCKS || self.bytes > MAX_PARSED_BYTES || self.budget.is_spent()
    }

    /// The JSON value at the start of a text, if its brackets match. The budget pays for the bytes that are looked at.
    fn isolated<'t>(&self, text: &'t str) -> Option<&'t str> {
        let block = script::isolated(text);
        let is_paid = self.budget.step(block.map_or_else(|bytes| bytes, str::len));
        block.ok().filter(|_| is_paid)
    }

    /// Whether another block of this many bytes may be parsed. The first that may not gives a warning.
    fn affords(&mut self, bytes: usize) -> bool {
        self.blocks += 1;
        self.bytes += bytes.min(MAX_VALUE_BYTES);
        let fits = self.blocks <= MAX_BLOCKS && self.bytes <= MAX_PARSED_BYTES;
        if !fits && self.blocks <= MAX_BLOCKS + 1 {
            self.blocks = MAX_BLOCKS + 1;
            self.warn(Code::Skipped, BLOCK, "too many");
        }
        fits
    }

    /// Parses the JSON block at the start of `text`, after repairs if needed. The second value is its length. A block
    /// that cannot be repaired or exceeds [`MAX_BLOCKS`] gives a warning and `None`.
    pub(crate) fn parse(&mut self, text: &str) -> Option<(Value, usize)> {
        if self.is_spent() {
            return None;
        }
        let block = self.isolated(text);
        if !self.affords(block.map_or(text.len(), str::len)) {
            return None;
        }
        if let Some(block) = block
            && self.budget.step(block.len() * PARSE_STEPS)
            && let Ok((value, repairs)) = repair::parse(block)
        {
            for repair in repairs {
                self.repaired(repair);
            }
            return Some((value, block.len()));
        }
        let Some((value, length)) = literal::parse(text, self.budget) else {
            self.bad_block(text);
            return None;
        };
        self.repaired(Repair::JavaScript);
        Some((value, length))
    }

    /// The same for a literal of JavaScript.
    pub(crate) fn literal(&mut self, text: &str) -> Option<(Value, usize)> {
        if self.is_spent() {
            return None;
        }
        let block = self.isolated(text).filter(|block| self.budget.step(block.len()));
        let json = block.and_then(|block| serde_json::from_str(block).ok());
        let read = match (block, json) {
            (Some(block), Some(value)) => Some((value, block.len())),
            _ => literal::parse(text, self.budget),
        };
        if let Some((value, length)) = read {
            return self.affords(length).then_some((value, length));
        }
        self.parse(text)
    }

    /// The elements of an array, or the value itself. Elements beyond the limit give a warning.
    pub(crate) fn elements<'v>(&mut self, value: &'v Value) -> &'v [Value] {
        let elements = value::elements(Some(value));
        if value.as_array().is_some_and(|all| all.len() > elements.len()) {
            self.skipped("elements");
        }
        elements
    }

    /// Warns about a repaired block.
    pub(crate) fn repaired(&mut self, repair: Repair) {
        self.warn(Code::Repaired, BLOCK, repair.name());
    }

    /// Warns about a block that cannot be parsed.
    pub(crate) fn bad_block(&mut self, block: &str) {
        self.warn(Code::BadBlock, BLOCK, &block[..block.floor_char_boundary(HEAD_BYTES)]);
    }

    /// Warns that content beyond a limit was not read.
    pub(crate) fn skipped(&mut self, what: &'static str) {
        self.warn(Code::Skipped, what, "too many");
    }

    fn warn(&mut self, code: Code, field: &'static str, value: &str) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(Warning::new(code, self.from, field, value));
        }
    }

    /// The details of the job's car, and all warnings.
    ///
    /// Details without a VIN count only if the source describes the job's car nowhere by its VIN, if it describes no
    /// other car, and if the page's identity `admits` them.
    pub(crate) fn chosen(self, admits: impl Fn(&Details) -> bool) -> (Vec<Details>, Vec<Warning>) {
        let mut warnings = self.warnings;
        let mut chosen = self.ours;
        if chosen.is_empty() && !self.unnamed.is_empty() {
            let is_alone = self.unnamed.len() == 1 && !self.has_other_main;
            if is_alone && self.unnamed.iter().all(|unnamed| admits(&unnamed.details)) {
                chosen = self.unnamed;
            } else {
                let warning = Warning::new(Code::Ambiguous, self.from, "vin", "cars without a VIN");
                warnings.push(warning);
            }
        }
        let mut details = Vec::with_capacity(chosen.len());
        for sighting in chosen {
            details.push(sighting.details);
            warnings.extend(sighting.warnings);
        }
        (details, warnings)
    }

    /// The details that the source gives of the job's VIN.
    pub(crate) fn named(&self) -> impl Iterator<Item = &Details> {
        self.ours.iter().map(|sighting| &sighting.details)
    }
}

#[cfg(test)]
#[path = "sighting_tests.rs"]
mod tests;
