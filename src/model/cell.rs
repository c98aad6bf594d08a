//! Cells of a CSV that a spreadsheet would run as a formula: made harmless where they leave, and as they were where they come.

use std::borrow::Cow;

/// What makes a formula of the text behind it; and the quotation mark that keeps it from that.
const BEGINS_A_FORMULA: [char; 7] = ['=', '+', '-', '@', '\'', '\t', '\r'];

/// Whether a spreadsheet that is told other delimiters than ours begins another cell behind this.
fn divides(c: char) -> bool {
    matches!(c, ';' | '\t' | '\n' | '\r')
}

/// The cell with a `'` before what would be run as a formula, also where another delimiter would make a cell of its own of
/// that: `a;=1+1`.
pub fn escape_formula(cell: &str) -> String {
    let mut text = String::with_capacity(cell.len() + 1);
    let mut begins = true;
    for c in cell.chars() {
        // defense: S34 no-cell-is-a-formula
        if begins && BEGINS_A_FORMULA.contains(&c) {
            text.push('\'');
        }
        text.push(c);
        begins = divides(c);
    }
    text
}

/// The cell without what [`guarded`] put there.
pub fn unguarded(cell: &str) -> Cow<'_, str> {
    if !cell.contains('\'') {
        return cell.into();
    }
    let mut text = String::with_capacity(cell.len());
    let mut begins = true;
    let mut signs = cell.chars().peekable();
    while let Some(c) = signs.next() {
        let guards = begins && c == '\'';
        let c = if guards { signs.next_if(|next| BEGINS_A_FORMULA.contains(next)).unwrap_or(c) } else { c };
        text.push(c);
        begins = divides(c);
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_cell_is_a_formula_whatever_divides_it() {
        for (cell, safe) in [
            ("=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1"),
            ("+1", "'+1"),
            ("-3", "'-3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("'x", "''x"),
            ("\t=1", "'\t'=1"),
            ("\r=1", "'\r'=1"),
            ("Hudson;=1+1", "Hudson;'=1+1"),
            ("a;-b;'c", "a;'-b;''c"),
            ("101-X0001-D1", "101-X0001-D1"),
            ("", ""),
        ] {
            assert_eq!((escape_formula(cell).as_str(), unguarded(safe).as_ref()), (safe, cell));
        }
    }

    proptest! {
        #[test]
        fn what_is_guarded_comes_back(cell in "[a;'=+@\t\r\n-]{0,12}") {
            let safe = escape_formula(&cell);
            prop_assert_eq!(unguarded(&safe).into_owned(), cell);
            prop_assert!(!safe.split([';', '\t', '\n', '\r']).any(|part| part.starts_with(['=', '+', '-', '@'])));
        }
    }
}
