// Blocks of the disk that are held in reserve: a file that is given back when the disk is full, so that
// deleting, which has to write a little before it frees much, works even when others have taken every byte.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "base/result.h"
#include "storage/file_system.h"

namespace millrace::storage {

inline std::string BallastPath(const std::string& data_directory) { return data_directory + "/ballast"; }
// Of the reserve: the rest stays free, for what the system itself needs to take files away.
constexpr std::uint64_t BallastBytes(std::uint64_t reserve_bytes) { return reserve_bytes / 4 * 3; }

class Ballast {
 public:
  // Holds nothing yet. `files` outlives this.
  Ballast(FileSystem& files, std::string path, std::uint64_t bytes)
      : files_(files), path_(std::move(path)), bytes_(bytes) {}

  // What an earlier process holds is held by this one. Errors: those of looking.
  Result<void> Adopt();
  // Takes the blocks where they are not held. Errors: kNoSpace, kIo; then nothing is held.
  Result<void> Fill();
  // Gives them back. True: some were held.
  bool Release();

  std::uint64_t held_bytes() const { return held_.load(); }
  std::uint64_t missing_bytes() const { return bytes_ - held_.load(); }

 private:
  FileSystem& files_;
  const std::string path_;
  const std::uint64_t bytes_;
  std::mutex mutex_;  // one change at a time
  std::atomic<std::uint64_t> held_{0};
};

}  // namespace millrace::storage
