#include "data/sha256.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/evp.h>

#include <bit>
#include <stdexcept>

namespace lockstep {
namespace {

void check(int status) {
  if (status != 1) {
    throw std::runtime_error("OpenSSL computes no SHA-256 here");
  }
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) { check(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr)); }

void Sha256::update(std::span<const std::byte> bytes) { check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size())); }

std::array<std::byte, 32> Sha256::finish() {
  std::array<std::byte, 32> digest;
  check(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr));
  return digest;
}

std::string Sha256::finish_hex() { return fmt::format("{:02x}", fmt::join(std::bit_cast<std::array<unsigned char, 32>>(finish()), "")); }

std::string sha256_hex(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish_hex();
}

}  // namespace lockstep
