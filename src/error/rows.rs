//! What is wrong with a file of licenses, told line by line.

use std::collections::BTreeSet;
use std::fmt;

/// How many complaints a person is shown; the rest is counted.
const SHOWN: usize = 50;

/// One thing that is wrong with a file of licenses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProblem {
    /// The line on which the row begins, counted from 1; `None`: the file as a whole.
    pub line: Option<u64>,
    /// The column, as its header has it; `None`: the whole row.
    pub column: Option<&'static str>,
    /// What is wrong, in words that follow "line 7, column username: ". Cleaned.
    pub problem: String,
}

impl fmt::Display for RowProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}")?;
            if let Some(column) = self.column {
                write!(f, ", column {column}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.problem)
    }
}

/// How many rows can't be used, and each complaint on a line of its own.
pub(super) fn told(path: &str, complaints: &[RowProblem]) -> String {
    let rows: BTreeSet<_> = complaints.iter().filter_map(|one| one.line).collect();
    let mut said = match rows.len() {
        _ if complaints.iter().any(|one| one.line.is_none()) => format!("{path}: the file can't be used"),
        1 => format!("{path}: 1 row can't be used"),
        count => format!("{path}: {count} rows can't be used"),
    };
    for one in complaints.iter().take(SHOWN) {
        said.push_str(&format!("\n  {one}"));
    }
    if complaints.len() > SHOWN {
        said.push_str(&format!("\n  and {} more", complaints.len() - SHOWN));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn bad(line: Option<u64>, column: Option<&'static str>) -> RowProblem {
        RowProblem { line, column, problem: "is empty".into() }
    }

    #[test]
    fn each_complaint_has_its_line_and_the_rows_are_counted_once() {
        let complaints = vec![bad(Some(7), Some("username")), bad(Some(7), Some("ubi")), bad(Some(9), None)];
        let error = Error::Rows { path: "stores.csv".into(), complaints };
        assert_eq!(
            error.to_string(),
            "stores.csv: 2 rows can't be used\n  line 7, column username: is empty\n  \
             line 7, column ubi: is empty\n  line 9: is empty"
        );
        assert_eq!(error.exit(), 2);
        assert!(error.hint().unwrap().contains("nobody was asked"));
    }

    #[test]
    fn no_more_are_shown_than_a_person_reads() {
        let complaints: Vec<_> = (1..=58).map(|line| bad(Some(line), None)).collect();
        let said = told("s.csv", &complaints);
        assert_eq!(said.lines().count(), 52);
        assert!(said.ends_with("\n  and 8 more"), "{said}");
        assert!(told("s.csv", &[bad(None, None)]).starts_with("s.csv: the file can't be used\n"));
    }
}
