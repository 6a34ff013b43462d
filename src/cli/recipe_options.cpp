#include "cli/recipe_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "train/read_number.hpp"

namespace lockstep::cli {
namespace {

using Texts = std::vector<std::string>;

std::pair<double, double> parse_betas(const std::string& text) {
  const std::size_t comma = std::min(text.find(','), text.size());
  const auto first = read_number<double>(text.substr(0, comma));
  const auto second = read_number<double>(text.substr(std::min(comma + 1, text.size())));
  if (!first || !second) {
    throw UsageError(fmt::format("--betas {}: give two numbers, such as 0.9,0.999", text));
  }
  return {*first, *second};
}

}  // namespace

void add_recipe_options(po::options_description& options) {
  options.add_options()                                                                          //
      ("optimizer", po::value<std::string>()->default_value("sgd"), "sgd, adamw, lars or lamb")  //
      ("lr", po::value<Texts>()->default_value({"0.01"}, "0.01"),
       "learning rate; RATE@GLOB: another one for the parameters of such names; may be given several times")  //
      ("schedule", po::value<std::string>()->default_value("constant"),
       "of the learning rate: constant, step:EPOCHS:FACTOR, cosine or one-cycle")                                                       //
      ("warmup", po::value<std::int64_t>()->default_value(0), "steps over which the learning rate first rises")                         //
      ("momentum", po::value<double>()->default_value(0.9, "0.9"), "sgd, lars")                                                         //
      ("nesterov", po::bool_switch(), "sgd, lars: Nesterov's form of momentum")                                                         //
      ("betas", po::value<std::string>()->default_value("0.9,0.999"), "adamw, lamb: decay of the two moments")                          //
      ("epsilon", po::value<double>()->default_value(1e-8, "1e-8"), "adamw, lamb: beside the root of the second moment")                //
      ("weight-decay", po::value<double>()->default_value(0), "adamw, lamb: on all weights but biases and norms, beside the gradient")  //
      ("trust", po::value<double>()->default_value(1e-3, "1e-3"), "lars: part of a tensor's norm that a step may move it")              //
      ("penalty", po::value<Texts>(),
       "KIND:LAMBDA or KIND:LAMBDA@GLOB, several times: l1, l2, elastic:LAMBDA1,LAMBDA2, group (lasso over rows); on all weights, on "
       "biases and norms only where GLOB names them (*.bias)")                                                            //
      ("clip", po::value<double>()->default_value(0), "scale gradients down to this norm over all parameters; 0: never")  //
      ("ema", po::value<double>()->default_value(0), "evaluate and end with weights averaged with this decay, such as 0.999; 0: no");
}

Recipe recipe_from(const po::variables_map& values) {
  Recipe recipe;
  Optimizer& optimizer = recipe.optimizer;
  optimizer.kind = optimizer_from(values["optimizer"].as<std::string>());
  optimizer.momentum = values["momentum"].as<double>();
  optimizer.nesterov = values["nesterov"].as<bool>();
  std::tie(optimizer.beta1, optimizer.beta2) = parse_betas(values["betas"].as<std::string>());
  optimizer.epsilon = values["epsilon"].as<double>();
  optimizer.decay = values["weight-decay"].as<double>();
  optimizer.trust = values["trust"].as<double>();
  for (const std::string& text : values["lr"].as<Texts>()) {
    const RateFor rate = rate_from(text);
    if (rate.pattern.empty()) {
      recipe.rate = rate.rate;
    } else {
      recipe.rates.push_back(rate);
    }
  }
  for (const std::string& text : values.contains("penalty") ? values["penalty"].as<Texts>() : Texts()) {
    recipe.penalties.push_back(penalty_from(text));
  }
  recipe.clip = values["clip"].as<double>();
  recipe.average = values["ema"].as<double>();
  return recipe;
}

}  // namespace lockstep::cli
