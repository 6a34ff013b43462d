#!/usr/bin/env bash
# Imports the images that come with the repository; the other tests read them.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
rm -rf "$E2E_DATA"
import_fashion_mnist "$small_data-idx" "$E2E_DATA"
expect_code 0 '2,?000' inspect.log "$lockstep" inspect "$E2E_DATA"
pass "2,000 training images"
