#include "train/recipe.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <utility>

#include "lockstep/error.hpp"
#include "train/read_number.hpp"

namespace lockstep {
namespace {

constexpr std::array<std::pair<Optimizer::Kind, const char*>, 4> kOptimizers{
    {{Optimizer::Kind::sgd, "sgd"}, {Optimizer::Kind::adamw, "adamw"}, {Optimizer::Kind::lars, "lars"}, {Optimizer::Kind::lamb, "lamb"}}};

struct Patterned {
  std::string head, pattern;
};
/// "1e-4@layers.*" → "1e-4", "layers.*".
Patterned split_pattern(const std::string& text) {
  const std::size_t at = text.find('@');
  return at == std::string::npos ? Patterned{text, ""} : Patterned{text.substr(0, at), text.substr(at + 1)};
}

/// A number from 0 on.
double number(const std::string& digits, const std::string& text, const char* what) {
  const auto value = read_number<double>(digits);
  if (!value || !(*value >= 0) || *value > 1e30) {
    throw UsageError(fmt::format("{}: '{}' is no {}", text, digits, what));
  }
  return *value;
}

std::string with_pattern(const std::string& head, const std::string& pattern) {
  return pattern.empty() ? head : fmt::format("{}@{}", head, pattern);
}

/// In the form that penalty_from reads.
std::string text_of(const Penalty& p) {
  std::string head = fmt::format("l2:{}", p.l2);
  if (p.group > 0) {
    head = fmt::format("group:{}", p.group);
  } else if (p.l1 > 0 && p.l2 > 0) {
    head = fmt::format("elastic:{},{}", p.l1, p.l2);
  } else if (p.l1 > 0) {
    head = fmt::format("l1:{}", p.l1);
  }
  return with_pattern(head, p.pattern);
}

bool fits(const std::string& pattern, const FlatTensor& tensor) {
  return tensor.trained && fnmatch(pattern.c_str(), tensor.name.c_str(), 0) == 0;
}

/// Calls `use(tensor's number)` for what the pattern fits. Throws UsageError if that is nothing.
template <class Use>
void for_each_fitting(const FlatLayout& layout, const std::string& pattern, const char* option, Use use) {
  bool any = false;
  for (std::size_t t = 0; t < layout.tensors.size(); ++t) {
    if (fits(pattern, layout.tensors[t])) {
      use(t);
      any = true;
    }
  }
  if (!any) {
    std::vector<std::string> names;
    for (const FlatTensor& tensor : layout.tensors) {
      if (tensor.trained) {
        names.push_back(tensor.name);
      }
    }
    std::ranges::sort(names);
    throw UsageError(fmt::format("{} ...@{}: no parameter has such a name; there are {}", option, pattern, fmt::join(names, ", ")));
  }
}

bool names_biases(const std::string& pattern) {
  const std::size_t dot = pattern.rfind('.');
  return pattern.find('*', dot == std::string::npos ? 0 : dot) == std::string::npos;
}

void add_penalty(const Penalty& penalty, const FlatLayout& layout, std::vector<TensorRule>& rules) {
  const bool everything = penalty.pattern.empty();
  bool some = false;
  const auto add = [&](std::size_t t) {
    if (layout.tensors[t].penalised || (!everything && names_biases(penalty.pattern))) {
      some = true;
      rules[t].l1 += penalty.l1;
      rules[t].l2 += penalty.l2;
      rules[t].group += penalty.group;
    }
  };
  if (everything) {
    for (std::size_t t = 0; t < rules.size(); ++t) {
      add(t);
    }
  } else {
    for_each_fitting(layout, penalty.pattern, "--penalty", add);
  }
  if (!everything && !some) {
    throw UsageError(
        fmt::format("--penalty ...@{}: fits only biases and gains of norms, which are left out unless they are named: "
                    "give a pattern without * after its last dot, such as *.bias",
                    penalty.pattern));
  }
}

void require(bool holds, const char* what, double value) {
  if (!holds) {
    throw UsageError(fmt::format("{}, not {}", what, value));
  }
}

void check(const Recipe& recipe) {
  const Optimizer& o = recipe.optimizer;
  require(recipe.rate > 0, "--lr must be above 0", recipe.rate);
  require(o.momentum >= 0 && o.momentum < 1, "--momentum must lie in [0, 1)", o.momentum);
  require(o.beta1 >= 0 && o.beta1 < 1, "the first of --betas must lie in [0, 1)", o.beta1);
  require(o.beta2 >= 0 && o.beta2 < 1, "the second of --betas must lie in [0, 1)", o.beta2);
  require(o.epsilon > 0, "--epsilon must be above 0", o.epsilon);
  require(o.decay >= 0, "--weight-decay must be 0 or more", o.decay);
  require(o.trust > 0, "--trust must be above 0", o.trust);
  require(recipe.clip >= 0, "--clip must be 0 or more", recipe.clip);
  require(recipe.average >= 0 && recipe.average < 1, "--ema must lie in [0, 1)", recipe.average);
  const bool adam = o.kind == Optimizer::Kind::adamw || o.kind == Optimizer::Kind::lamb;
  if (o.decay > 0 && !adam) {
    throw UsageError("--weight-decay is for adamw and lamb; with sgd and lars give --penalty l2:LAMBDA, which comes to the same");
  }
  if (o.nesterov && (adam || o.momentum == 0)) {
    throw UsageError("--nesterov is a form of momentum: it needs --optimizer sgd or lars, and --momentum above 0");
  }
}

}  // namespace

Recipe Recipe::sgd(double momentum, double l2) {
  Recipe recipe;
  recipe.optimizer.momentum = momentum;
  recipe.penalties.push_back({.l2 = l2});
  return recipe;
}

nlohmann::ordered_json Recipe::json() const {
  std::vector<std::string> groups, texts;
  for (const RateFor& group : rates) {
    groups.push_back(with_pattern(fmt::format("{}", group.rate), group.pattern));
  }
  for (const Penalty& penalty : penalties) {
    texts.push_back(text_of(penalty));
  }
  const auto* name = std::ranges::find(kOptimizers, optimizer.kind, &std::pair<Optimizer::Kind, const char*>::first);
  nlohmann::ordered_json json{{"optimizer", name->second}, {"lr", rate}, {"lr of groups", groups}};
  if (optimizer.kind == Optimizer::Kind::sgd || optimizer.kind == Optimizer::Kind::lars) {
    json["momentum"] = optimizer.momentum;
    json["nesterov"] = optimizer.nesterov;
  } else {
    json["betas"] = {optimizer.beta1, optimizer.beta2};
    json["epsilon"] = optimizer.epsilon;
    json["weight-decay"] = optimizer.decay;
  }
  if (optimizer.kind == Optimizer::Kind::lars) {
    json["trust"] = optimizer.trust;
  }
  json["penalty"] = texts;
  json["clip"] = clip;
  json["ema"] = average;
  return json;
}

Optimizer::Kind optimizer_from(const std::string& name) {
  for (const auto& [kind, known] : kOptimizers) {
    if (name == known) {
      return kind;
    }
  }
  throw UsageError(fmt::format("--optimizer {}: there are sgd, adamw, lars and lamb", name));
}

Penalty penalty_from(const std::string& text) {
  const std::string option = "--penalty " + text;
  const auto [head, pattern] = split_pattern(text);
  const std::size_t colon = head.find(':');
  const std::string kind = head.substr(0, colon), weights = colon == std::string::npos ? "" : head.substr(colon + 1);
  const auto weight = [&](const std::string& digits) { return number(digits, option, "weight of a penalty: give one from 0 on"); };
  if (kind == "l1") {
    return {.l1 = weight(weights), .pattern = pattern};
  }
  if (kind == "l2") {
    return {.l2 = weight(weights), .pattern = pattern};
  }
  if (kind == "group") {
    return {.group = weight(weights), .pattern = pattern};
  }
  if (const std::size_t comma = weights.find(','); kind == "elastic" && comma != std::string::npos) {
    return {.l1 = weight(weights.substr(0, comma)), .l2 = weight(weights.substr(comma + 1)), .pattern = pattern};
  }
  throw UsageError(
      fmt::format("{}: give l1:LAMBDA, l2:LAMBDA, elastic:LAMBDA1,LAMBDA2 or group:LAMBDA (over rows), such as l2:1e-4, and after "
                  "an @ the parameters it is on, such as l1:1e-5@layers.0.*",
                  option));
}

RateFor rate_from(const std::string& text) {
  auto [head, pattern] = split_pattern(text);
  return {number(head, "--lr " + text, "learning rate: give a number from 0 on, such as 0.1 or 0.01@layers.0.*"), std::move(pattern)};
}

std::vector<TensorRule> rules_for(const FlatLayout& layout, const Recipe& recipe) {
  check(recipe);
  std::vector<TensorRule> rules(layout.tensors.size());
  const Optimizer::Kind kind = recipe.optimizer.kind;
  for (std::size_t t = 0; t < rules.size(); ++t) {
    const bool weight = layout.tensors[t].penalised;
    rules[t].decay = weight ? recipe.optimizer.decay : 0;
    rules[t].adapts = weight && (kind == Optimizer::Kind::lars || kind == Optimizer::Kind::lamb);
  }
  for (const RateFor& group : recipe.rates) {
    for_each_fitting(layout, group.pattern, "--lr", [&](std::size_t t) { rules[t].rate = group.rate / recipe.rate; });
  }
  for (const Penalty& penalty : recipe.penalties) {
    add_penalty(penalty, layout, rules);
  }
  return rules;
}

}  // namespace lockstep
