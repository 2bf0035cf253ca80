//! What the command prints where it needs no AWS. `TRYCMD=overwrite cargo test -p evenkeel-cli` writes the files anew.

#[test]
fn the_command_prints_what_the_files_say() {
    trycmd::TestCases::new().case("tests/cmd/*.trycmd");
}
