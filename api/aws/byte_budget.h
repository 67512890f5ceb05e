// How many bytes all requests together may hold in memory: of bodies that come in, and of answers that slow
// readers have not taken yet. What does not fit is refused or has to wait, and never grows the process.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace millrace::api {

class ByteBudget {
 public:
  explicit ByteBudget(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  // Bytes that are taken; gives them back when it goes. The budget outlives it.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Share& operator=(Share&& other) noexcept {
      if (this != &other) {
        GiveBack();
        budget_ = std::exchange(other.budget_, nullptr);
        bytes_ = std::exchange(other.bytes_, 0);
      }
      return *this;
    }
    ~Share() { GiveBack(); }

   private:
    friend class ByteBudget;
    Share(ByteBudget& budget, std::uint64_t bytes) : budget_(&budget), bytes_(bytes) {}
    void GiveBack() {
      if (budget_ != nullptr) budget_->taken_ -= bytes_;
      budget_ = nullptr;
    }

    ByteBudget* budget_ = nullptr;
    std::uint64_t bytes_ = 0;
  };

  // None: there is no room now. One that is larger than the whole budget fits when nothing else is taken.
  std::optional<Share> Take(std::uint64_t bytes) {
    std::uint64_t taken = taken_;
    do {
      if (taken > 0 && (bytes > bytes_max_ || taken > bytes_max_ - bytes)) return std::nullopt;
    } while (!taken_.compare_exchange_weak(taken, taken + bytes));
    return Share(*this, bytes);
  }

  std::uint64_t taken() const { return taken_; }

 private:
  const std::uint64_t bytes_max_;
  std::atomic<std::uint64_t> taken_{0};
};

}  // namespace millrace::api
