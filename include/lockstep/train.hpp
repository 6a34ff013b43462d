#pragma once

#include <functional>
#include <map>
#include <string>

#include "lockstep/nn.hpp"

namespace lockstep {

/// What a dataset says of the model that is to be trained on it.
struct DataFacts {
  std::map<std::string, Shape> samples;  ///< by field, the shape of one sample: "features" → [1, 28, 28]
  std::int64_t classes = 0;              ///< of the field "labels"; 0 where there is none
};

/// `lockstep train` with a model of your own, alone or under mpirun: what main returns. Takes the options of `lockstep train` but for those
/// that choose a built-in model (--help shows them); says on stderr what went wrong and returns the same exit codes. `write` is called
/// once for each program of the model, see make_model. The checkpoints hold the model: `lockstep evaluate` reads them, and
/// `lockstep train --run RUN --data DIR` goes on from them.
int train_main(int argc, char** argv, const std::function<void(nn::Scope& scope, const DataFacts& data)>& write);

}  // namespace lockstep
