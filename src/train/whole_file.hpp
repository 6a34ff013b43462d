#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

/// Files that are there whole or not at all. Every function throws CheckpointError naming the file and the system's reason.
namespace lockstep {

/// The bytes of a file.
[[nodiscard]] std::vector<std::byte> read_whole_file(const std::filesystem::path& path);

/// Writes PATH.tmp, fsync, reads it back and compares, renames it to PATH, fsync of the folder. Whatever fails, PATH is either the old
/// file or the whole new one, and no PATH.tmp stays behind (unless the process is killed).
void write_whole_file(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_whole_file(const std::filesystem::path& path, std::string_view text);

/// Appends `text` (or creates the file with it); if that fails half-way, cuts the file back to its old length.
void append_to_file(const std::filesystem::path& path, std::string_view text);

}  // namespace lockstep
