#pragma once

#include "cli/options.hpp"

/// One function a command, one file each: takes the words after the command, returns the exit code, throws Error.
namespace lockstep::cli {

int run_import(const Arguments& arguments);
int run_inspect(const Arguments& arguments);
int run_train(const Arguments& arguments);
int run_evaluate(const Arguments& arguments);
int run_predict(const Arguments& arguments);
int run_export(const Arguments& arguments);
int run_report(const Arguments& arguments);
int run_compare(const Arguments& arguments);
int run_plan(const Arguments& arguments);
int run_bench(const Arguments& arguments);

}  // namespace lockstep::cli
