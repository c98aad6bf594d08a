# The commands of CONTRIBUTING.md. `just` lists them. Install it with `cargo install just` or `pipx install rust-just`.

# List the recipes
default:
    @just --list

# Build the program
build:
    cargo build --locked

# Run the program: `just run status --json`
[no-exit-message]
[positional-arguments]
run *ARGS:
    @cargo run --locked --quiet -- "$@"

# Run the quick tests, all or those whose names contain NAME; they need Rust alone
test *NAME:
    cargo test --locked -- {{NAME}}

# Run tests with real parts (keyring, browser, PostgreSQL, …): `just real documents::`
real *NAME:
    cargo test --locked --features real-parts --test real -- {{NAME}}

# Install what the tests need (Debian or Ubuntu) and run every test
test-all:
    tests/run

# Accept new snapshots of the quick tests whose names contain NAME, then show what changed
snapshots NAME:
    INSTA_UPDATE=always cargo test --locked --test commands -- {{NAME}}
    git status --short tests/commands/snapshots

# Renew generated files: man pages, completions, schemas, docs/settings.md, and tables in README and docs/architecture.md
generate:
    -cargo test --locked --quiet --no-fail-fast --lib --test commands -- {{generators}}
    cargo test --locked --quiet --lib --test commands -- {{generators}}
    git status --short man completions schemas docs README.md

generators := "the_shipped_ the_whole_table_stands the_readme_has"

# Format the source
fmt:
    cargo fmt

# Check format, lints and spelling
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets --features real-parts -- -D warnings
    release/spelling

# Check everything that a pull request must pass on a machine with Rust alone
check: lint test

# Check that each marked defense can be taken out of the source
defenses:
    tests/mutations/run --check

# Do what CI does
ci:
    .ci/run
