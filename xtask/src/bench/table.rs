//! The table of instructions in the document, and the comparison of two.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};

use super::instructions::{Count, Counts, Machine};

/// The marker lines around the table.
const BEGIN: &str = "<!-- generated: instructions -->\n";
const END: &str = "<!-- end of generated: instructions -->";

/// What the line with the machine begins with.
const MACHINE: &str = "Counted with ";

/// How much more a case may take, in percent.
const MOST_MORE: u64 = 2;

/// The lines of a table.
pub(super) fn of(counts: &Counts) -> String {
    let mut lines = format!("{MACHINE}{}:\n\n", counts.machine);
    lines += "| case | instructions | for a |\n|---|---:|---|\n";
    for Count { name, unit, instructions } in &counts.cases {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "| {name} | {} | {unit} |", grouped(*instructions));
    }
    lines
}

/// The document with this table. Fails if it lacks the marker lines.
pub(super) fn written(page: &str, counts: &Counts) -> Result<String> {
    let (before, _, after) = parts(page)?;
    Ok(format!("{before}{BEGIN}\n{}\n{END}{after}", of(counts)))
}

/// The table of a document. Fails if there is none, or if a line of it cannot be read.
pub(super) fn read(page: &str) -> Result<Counts> {
    let (_, table, _) = parts(page)?;
    let machine = table.lines().find_map(|line| line.strip_prefix(MACHINE));
    let machine = machine.context("no numbers yet: `cargo xtask bench --write` writes them")?;
    let mut named = machine.split('`').skip(1).step_by(2).map(str::to_owned);
    let (Some(compiler), Some(cpu)) = (named.next(), named.next()) else {
        anyhow::bail!("{MACHINE}{machine}: expected `COMPILER` on `CPU`");
    };
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let cases: Vec<Count> = rows.map(row).collect::<Result<_>>()?;
    ensure!(!cases.is_empty(), "the table of instructions has no case");
    Ok(Counts { machine: Machine { compiler, cpu }, cases })
}

/// What is before the table, the table, and what is after it.
fn parts(page: &str) -> Result<(&str, &str, &str)> {
    let missing = |line: &str| format!("the marker line `{}` is missing", line.trim());
    let (before, rest) = page.split_once(BEGIN).with_context(|| missing(BEGIN))?;
    let (table, after) = rest.split_once(END).with_context(|| missing(END))?;
    Ok((before, table, after))
}

fn row(line: &str) -> Result<Count> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let expected = || format!("{line}: expected `| case | instructions | for a |`");
    let [name, instructions, unit] = cells[..] else { anyhow::bail!(expected()) };
    let instructions = instructions.replace(',', "").parse().with_context(expected)?;
    Ok(Count { name: name.to_owned(), unit: unit.to_owned(), instructions })
}

/// A number with commas between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// What the name of a case ends with whose input is twice as long as that of the case of the same name.
const TWICE: &str = ", twice";

/// How many tenths of the instructions a case may take whose input is twice as long.
const MOST_OF_TWICE: u64 = 23;

/// Compares each case whose input is twice as long with the other, if both were counted.
pub(super) fn growth(counts: &Counts) -> Verdict {
    let mut verdict = Verdict { lines: Vec::new(), passed: true };
    for twice in &counts.cases {
        let Some(name) = twice.name.strip_suffix(TWICE) else { continue };
        let Some(once) = counts.cases.iter().find(|case| case.name == name) else { continue };
        if twice.instructions * 10 > once.instructions * MOST_OF_TWICE {
            let (once, twice) = (grouped(once.instructions), grouped(twice.instructions));
            let line =
                format!("{name}: twice the input takes {twice} instructions, and once {once}");
            verdict.lines.push(format!("{line}: expected at most 2.3 times as many"));
            verdict.passed = false;
        }
    }
    verdict
}

/// What a comparison has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) lines: Vec<String>,
    /// Whether every case takes at most as much as it may, and none is missing.
    pub(super) passed: bool,
}

/// Compares two tables, case by case.
pub(super) fn compare(before: &Counts, now: &Counts) -> Verdict {
    let of = |counts: &Counts| -> BTreeMap<String, u64> {
        counts.cases.iter().map(|case| (case.name.clone(), case.instructions)).collect()
    };
    let (before, now) = (of(before), of(now));
    let mut verdict = Verdict { lines: Vec::new(), passed: true };
    for (name, then) in &before {
        let Some(now) = now.get(name) else {
            verdict.lines.push(format!("{name}: no longer counted"));
            verdict.passed = false;
            continue;
        };
        let is_worse = now * 100 > then * (100 + MOST_MORE);
        let is_better = now * 100 < then * (100 - MOST_MORE);
        if is_worse || is_better {
            let word = if is_worse { "MORE" } else { "fewer" };
            let (then, now) = (grouped(*then), grouped(*now));
            verdict.lines.push(format!("{name}: {word} instructions, {then} before, {now} now"));
        }
        verdict.passed &= !is_worse;
    }
    let is_new = |name: &&String| !before.contains_key(*name);
    verdict.lines.extend(now.keys().filter(is_new).map(|name| format!("{name}: new")));
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cases: &[(&str, u64)]) -> Counts {
        let count = |&(name, instructions): &(&str, u64)| Count {
            name: name.to_owned(),
            unit: "batch".to_owned(),
            instructions,
        };
        let machine = Machine { compiler: "rustc 1.95.0".into(), cpu: "A CPU".into() };
        Counts { machine, cases: cases.iter().map(count).collect() }
    }

    #[test]
    fn a_table_that_was_written_is_read_back() {
        let page = format!("# Speed\n\n{BEGIN}{END}\n\nMore.\n");
        let numbers = counts(&[("decode, ten", 1_234_567), ("settle", 999)]);
        let page = written(&page, &numbers).expect("it has the marker lines");
        assert!(page.contains("| decode, ten | 1,234,567 | batch |\n"), "{page}");
        assert!(page.ends_with(&format!("\n{END}\n\nMore.\n")), "{page}");
        assert_eq!(read(&page).expect("a table"), numbers);
        let again = counts(&[("settle", 7)]);
        let page = written(&page, &again).expect("it has the marker lines");
        assert_eq!(read(&page).expect("a table"), again);
    }

    #[test]
    fn what_is_wrong_with_a_page_is_named() {
        let problem = |page: &str| format!("{:#}", read(page).expect_err("it has no table"));
        assert!(problem("").ends_with("generated: instructions -->` is missing"));
        assert!(problem(&format!("{BEGIN}{END}")).contains("no numbers yet"));
        let table =
            format!("{BEGIN}{MACHINE}`a` on `b`:\n\n| case |\n|---|\n| x | few | y |\n{END}");
        assert!(problem(&table).starts_with("| x | few | y |: expected"), "{}", problem(&table));
    }

    #[test]
    fn twice_the_input_may_take_at_most_2_3_times_the_instructions() {
        let within = counts(&[("a", 1_000), ("a, twice", 2_300), ("b, twice", 9_000), ("c", 1)]);
        assert_eq!(growth(&within), Verdict { lines: Vec::new(), passed: true });
        let more = growth(&counts(&[("a", 1_000), ("a, twice", 2_301)]));
        assert!(!more.passed);
        let expected = "a: twice the input takes 2,301 instructions, and once 1,000: \
                        expected at most 2.3 times as many";
        assert_eq!(more.lines, [expected]);
    }

    #[test]
    fn over_two_percent_more_fails_and_so_does_a_missing_case() {
        let before = counts(&[("a", 10_000), ("b", 10_000)]);
        let within = compare(&before, &counts(&[("a", 10_200), ("b", 9_800)]));
        assert_eq!(within, Verdict { lines: Vec::new(), passed: true });
        let more = compare(&before, &counts(&[("a", 10_201), ("b", 1), ("c", 1)]));
        assert!(!more.passed);
        assert_eq!(
            more.lines,
            [
                "a: MORE instructions, 10,000 before, 10,201 now",
                "b: fewer instructions, 10,000 before, 1 now",
                "c: new",
            ]
        );
        let missing = compare(&before, &counts(&[("a", 10_000)]));
        assert_eq!(missing, Verdict { lines: vec!["b: no longer counted".into()], passed: false });
    }
}
