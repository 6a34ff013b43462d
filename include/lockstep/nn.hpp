#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "lockstep/ops.hpp"

/// Layers and models. A layer is a function that appends ops and names its parameters as PyTorch's state_dict would; a model is a
/// function that calls layers. The built-in models use nothing that a user's own model does not have.
namespace lockstep::nn {

/// Where a layer writes: a graph, and whether it is the training program (dropout, batch statistics) or the evaluation program.
struct Scope {
  Graph& graph;
  bool training = true;
};

enum class Activation : std::uint8_t { none, sigmoid, tanh, relu, elu, softplus, gelu, silu };
/// Throws UsageError naming the activations there are.
[[nodiscard]] Activation activation_from(const std::string& name);
[[nodiscard]] Value activate(Value x, Activation activation);
/// He for the ReLU family, Glorot for the others.
[[nodiscard]] Initializer initializer_for(Activation activation);

/// x [n, in] → x · weightᵀ + bias [n, outputs]; NAME.weight [outputs, in], NAME.bias [outputs].
[[nodiscard]] Value dense(const Scope& scope, const std::string& name, Value x, std::int64_t outputs,
                          Initializer weight = Initializer::he());
/// x [n, C, H, W] → [n, channels, H', W'] with a square kernel; NAME.weight [channels, C, kernel, kernel] and, where `bias`, NAME.bias
/// [channels].
[[nodiscard]] Value conv2d(const Scope& scope, const std::string& name, Value x, std::int64_t channels, std::int64_t kernel,
                           std::int64_t stride = 1, std::int64_t padding = 0, Initializer weight = Initializer::he(), bool bias = true);
/// x [n, C, H, W] → the mean of each channel [n, C].
[[nodiscard]] Value global_average_pool(Value x);
/// x [n, C, ...]. In training the statistics of the lane ("ghost batch norm", Hoffer et al. 2017, arXiv 1705.08741), in evaluation the
/// running ones. NAME.weight, NAME.bias, and the state NAME.running_mean, NAME.running_var (unbiased), all [C].
[[nodiscard]] Value batch_norm(const Scope& scope, const std::string& name, Value x, double momentum = 0.1, double eps = 1e-5);
/// The operand itself in evaluation, or when rate is 0. NAME keys the mask.
[[nodiscard]] Value dropout(const Scope& scope, const std::string& name, Value x, double rate);

/// NAME.weight, NAME.bias [C]: x [..., C] normalised over the last axis.
[[nodiscard]] Value layer_norm(const Scope& scope, const std::string& name, Value x, double eps = 1e-5);
/// indexes i32 [...], 0 … rows−1 → [..., width]; NAME.weight [rows, width].
[[nodiscard]] Value embedding(const Scope& scope, const std::string& name, Value indexes, std::int64_t rows, std::int64_t width,
                              Initializer weight = Initializer::normal(0, 1));
/// x [n, T, C] → [n, T, C]: a dense layer NAME.qkv to queries, keys and values [n, T, 3·C], attention, a dense layer NAME.projection.
[[nodiscard]] Value self_attention(const Scope& scope, const std::string& name, Value x, std::int64_t heads, bool causal,
                                   Initializer weight = Initializer::glorot());

/// Declares what a classifier owes to training and evaluation, with the input "labels" i32 [n, ...]: "loss" [n] (softmax cross-entropy),
/// "correct" [n] (1 where the greatest logit is the label's, else 0), both the mean over a sample's labels where it has several, and
/// "logits" [n, ..., classes].
void classify(const Scope& scope, Value logits);
/// What a regression owes, with the input "labels" f32 of y's shape: "loss" [n] (the mean of a sample's squared errors) and "prediction",
/// y.
void regress(const Scope& scope, Value y);
/// What a classifier owes that says of each of k labels whether a sample has it: logits [n, k], the input "labels" [n, k] of zeros and
/// ones, f32 or i32: "loss" [n] (sigmoid cross-entropy) and "correct" [n] (1 where logit > 0 says what the label says), both the mean over
/// a sample's labels, and "logits".
void label_several(const Scope& scope, Value logits, DType labels = DType::f32);

/// What a model is to learn: classes, numbers, or labels that a sample may have several of.
enum class Loss : std::uint8_t { cross_entropy, squared_error, sigmoid_cross_entropy };

}  // namespace lockstep::nn

namespace lockstep {

/// A model's programs over one table of parameters. Each is written for kBatch samples and made for a lane's size by `rebatch`.
struct Model {
  static constexpr std::int64_t kSomeSamples = 2;  ///< that programs are written for; any number shows their shapes
  std::map<std::string, Graph> programs;           ///< "train" and "evaluate"

  [[nodiscard]] const Graph& program(const std::string& name) const;
  [[nodiscard]] std::int64_t parameter_count() const;
  /// Batch norm needs lanes of two samples at least.
  [[nodiscard]] std::int64_t least_lane() const;
  /// The programs as JSON text; the same model gives the same text. `text`: as a person would write it, a node a line.
  [[nodiscard]] std::string json() const;
  [[nodiscard]] std::string text() const;
  /// Reads either, and what is written by hand (src/nn/README.md). Throws UsageError naming the node at fault and its operands' shapes.
  [[nodiscard]] static Model from_json(const std::string& text);
};

/// A model that trains no parameter whose name fits one of the patterns (of a shell: * ? [...]): it keeps its starting value, as running
/// statistics that fit do. No gradient is computed for it. Throws UsageError naming a pattern that fits no tensor, or when nothing is left
/// to train.
[[nodiscard]] Model freeze(const Model& model, std::span<const std::string> patterns);
/// Whether a name fits such a pattern.
[[nodiscard]] bool fits_pattern(const std::string& name, const std::string& pattern);

/// Outputs "loss:NAME" [n] are losses by name; the loss that is trained on, "loss" [n], is their sum unless it is declared too.
inline constexpr std::string_view kLossPrefix = "loss:";

/// Calls `write` once for each program. It must create inputs and parameters and declare "loss" [n], or losses by name; see nn::classify.
/// Every other output holds a sample along its first axis too. Throws UsageError where that is not so, or where the program for evaluation
/// reads a tensor that the one for training does not have.
[[nodiscard]] Model make_model(const std::function<void(nn::Scope&)>& write);

/// The model whose training program sees its images (the input "features" [n, C, H, W]) through `augment`. Throws UsageError where there
/// are no such images, or they are too small.
[[nodiscard]] Model augment_images(const Model& model, std::int64_t crop, bool flip);

/// The model whose training loss of each sample is multiplied by the weight of its class; the step's loss stays the mean over its samples,
/// so weights of which the mean over the samples is not 1 scale it. Evaluation stays unweighted. Throws UsageError unless the model reads
/// one i32 label a sample and there is a weight for each of its classes.
[[nodiscard]] Model weigh_classes(Model model, std::span<const double> weights);
/// The model whose training loss of each sample is multiplied by its input "weight" f32 [n]; the step's loss is still the mean over its
/// samples. Evaluation stays unweighted. A model that reads "weight" itself is given back as it is.
[[nodiscard]] Model weigh_samples(Model model);

/// The options of the built-in models.
struct ModelOptions {
  std::string name = "mlp";   ///< "mlp", "cnn", "resnet20" or "gpt"
  Shape sample;               ///< of one sample, such as [1, 28, 28]; gpt: [context]
  std::int64_t classes = 10;  ///< outputs; gpt: the vocabulary
  nn::Loss loss = nn::Loss::cross_entropy;
  Shape labels;                                      ///< of one sample, where they are no classes
  DType label_type = DType::f32;                     ///< of several labels
  std::vector<std::int64_t> hidden{256, 128};        ///< mlp: widths of the hidden layers
  nn::Activation activation = nn::Activation::relu;  ///< mlp, cnn
  double dropout = 0;                                ///< mlp, cnn
  bool batch_norm = false;                           ///< mlp, cnn
  std::int64_t depth = 0;                            ///< resnet20: basic blocks of a stage; 0: 3. gpt: blocks; 0: 4
  std::int64_t width = 0;                            ///< resnet20: channels of the first stage; 0: 16. gpt: of a position; 0: 128
  std::int64_t heads = 0;                            ///< gpt: of each block; 0: 4
};

/// mlp: dense layers of the given widths. Images without channels, [height, width], have one. cnn: conv 3×3 to 32, conv 3×3 to 64, max-pool
/// 2, dense 128, dense classes. resnet20: He et al. 2015, arXiv 1512.03385, for small images, with torchvision's names: conv 3×3, three
/// stages of basic blocks, each twice as wide and half as high as the one before, 1×1 convolutions as shortcuts where the shape changes,
/// batch norm, global average pooling, dense classes. gpt: a decoder-only Transformer after Radford et al. 2019: "features" i32 [n,
/// context] → logits [n, context, classes]; learned positions, blocks with layer norm before causal attention and before dense 4·width,
/// GELU, dense width; layer norm, dense classes. Throws UsageError when there is no such model or it does not fit the samples.
[[nodiscard]] Model build_model(const ModelOptions& options);
/// Whether samples of this shape are most likely images [height, width, channels], of which no model here makes sense.
[[nodiscard]] bool channels_seem_last(const Shape& sample);

}  // namespace lockstep
