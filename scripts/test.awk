# Reads what `cargo test -- --show-output` prints: a line per suite, and everything about failures. Ends with a line of figures, for scripts/test.
#
#   awk -v red=… -v green=… -v plain=… -f test.awk CRATES PROPERTIES -
#
# CRATES has a line `crate file` for each test binary; PROPERTIES the name of a function per line.

function close_suite() {
    if (suite != "" && ran + lost > 0)
        printf "  %s%-8s%s %-28s %d passed%s%s\n", lost ? red : green, lost ? "failed" : "ok", plain, suite, ran - missed,
            lost ? ", " lost " failed" : "", missed ? ", " missed " skipped" : ""
    skipped += missed; passed += ran - missed; failed += lost
    ran = lost = missed = 0
    fflush()
}
FILENAME == ARGV[1] { crate[$2] = $1; next }
FILENAME == ARGV[2] { property[$1] = 1; next }
/^     Running / {
    close_suite()
    binary = $NF; gsub(/.*\/|\)$/, "", binary)
    name = binary; sub(/-[0-9a-f]+$/, "", name)
    suite = crate[binary] ($2 == "unittests" ? "" : "::" name)
    namespaces = $2 != "unittests" && crate[binary] ~ /^(vpc-io|vpcd)$/
    next
}
/^   Doc-tests / { close_suite(); suite = $2 " (doc tests)"; namespaces = 0; next }
/^test .* \.\.\. (ok|FAILED)$/ {
    if ($NF == "ok") ran++; else { lost++; print "failed: " suite " " $2 }
    name = $2; sub(/.*::/, "", name)
    if (name in property || suite ~ /::properties$/) properties++
    if (namespaces) in_namespaces++
    next
}
/^skipped: / { missed++; if (namespaces) in_namespaces--; next }
/^[0-9]+ scenarios/ { scenarios = scenarios (scenarios == "" ? "" : "; ") $0; next }
/^failures:$/ { showing = 1 }
/^test result: / { showing = 0; next }
/^error/ { print; next }
showing { print "    " $0 }
END {
    close_suite()
    printf "figures\t%d\t%d\t%d\t%s\t%d\t%d\n", passed, failed, skipped, scenarios == "" ? "none" : scenarios, properties, in_namespaces
}
