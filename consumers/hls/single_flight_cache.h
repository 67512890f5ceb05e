// A cache of immutable values, bounded in bytes, that makes each value once however many ask for it at a
// time.
//
// The first to ask for a key makes the value on its own thread; those who ask meanwhile wait for it and get
// the same one. The least recently used values go first. Errors are handed to everybody who waits, and are
// not kept.
//
// Threads: any. `make` runs without a lock held, and must not ask this cache for the same key.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/metrics.h"
#include "base/result.h"

namespace millrace {

template <typename Value>
class SingleFlightCache {
 public:
  using ValuePtr = std::shared_ptr<const Value>;
  struct Made {
    Value value;
    std::size_t bytes = 0;  // that it holds in memory
  };

  // `name`: the label of its metrics, "segments".
  SingleFlightCache(const std::string& name, std::size_t bytes_max)
      : bytes_max_(bytes_max),
        hits_(Requests(name, "hit")),
        joins_(Requests(name, "joined")),
        misses_(Requests(name, "miss")),
        held_bytes_(
            GetGauge("millrace_hls_cache_bytes", "Bytes that the HLS caches hold", {{"cache", name}})) {}
  ~SingleFlightCache() { held_bytes_.Decrement(static_cast<double>(bytes_)); }
  SingleFlightCache(const SingleFlightCache&) = delete;
  SingleFlightCache& operator=(const SingleFlightCache&) = delete;

  // The value of `key`, made by `make() -> Result<Made>` where it is not held.
  template <typename Make>
  Result<ValuePtr> Get(const std::string& key, Make&& make) {
    std::uint64_t generation = 0;
    {
      std::lock_guard lock(mutex_);
      if (auto held = entries_.find(key); held != entries_.end()) {
        hits_.Increment();
        recent_.splice(recent_.begin(), recent_, held->second);
        return held->second->value;
      }
      generation = generation_;
    }
    return Replace(key, key, generation, std::forward<Make>(make));
  }

  // Makes the value of `key` anew and takes it in, in place of the one that is held. `flight_key`: those who
  // ask for the same flight meanwhile get the same value. `generation`: as it was before anything that the
  // value is made of was looked at; where something was forgotten since, the value is this caller's alone.
  template <typename Make>
  Result<ValuePtr> Replace(const std::string& key, const std::string& flight_key, std::uint64_t generation,
                           Make&& make) {
    std::shared_ptr<Flight> flight;
    {
      std::unique_lock lock(mutex_);
      const bool outdated = generation != generation_;
      if (auto flying = flights_.find(flight_key); flying != flights_.end()) {
        joins_.Increment();
        std::shared_ptr<Flight> joined = flying->second;
        landed_.wait(lock, [&] { return joined->result.has_value(); });
        return *joined->result;
      }
      misses_.Increment();
      flight = std::make_shared<Flight>();
      flight->key = key;
      flight->forgotten = outdated;
      if (!outdated) flights_.emplace(flight_key, flight);
    }
    std::size_t bytes = 0;
    Result<ValuePtr> result = Run(make, bytes);
    {
      std::lock_guard lock(mutex_);
      flight->result = result;
      if (!flight->forgotten) {
        if (result) Keep(key, *result, bytes);
        flights_.erase(flight_key);
      }
    }
    landed_.notify_all();
    return result;
  }

  // Another one after each Forget: for Replace, of a value that is made of one that Peek gave.
  std::uint64_t generation() const {
    std::lock_guard lock(mutex_);
    return generation_;
  }

  // The value of `key` where it is held.
  ValuePtr Peek(const std::string& key) {
    std::lock_guard lock(mutex_);
    auto held = entries_.find(key);
    if (held == entries_.end()) return nullptr;
    recent_.splice(recent_.begin(), recent_, held->second);
    return held->second->value;
  }

  // Lets go of all values whose keys begin with this. What is being made of them is given to those who wait
  // for it, and not kept; who asks from now on has it made anew.
  void Forget(const std::string& prefix) {
    std::lock_guard lock(mutex_);
    ++generation_;
    for (auto at = recent_.begin(); at != recent_.end();) {
      const auto entry = at++;
      if (entry->key.starts_with(prefix)) Drop(entry);
    }
    std::erase_if(flights_, [&](const auto& flight) {
      if (!flight.second->key.starts_with(prefix)) return false;
      flight.second->forgotten = true;
      return true;
    });
  }

  std::size_t bytes() const {
    std::lock_guard lock(mutex_);
    return bytes_;
  }

 private:
  struct Entry {
    std::string key;
    ValuePtr value;
    std::size_t bytes = 0;
  };
  struct Flight {
    std::string key;
    bool forgotten = false;                  // GUARDED_BY(mutex_)
    std::optional<Result<ValuePtr>> result;  // GUARDED_BY(mutex_)
  };

  static prometheus::Counter& Requests(const std::string& name, const char* outcome) {
    return GetCounter("millrace_hls_cache_requests_total",
                      "Requests to the HLS caches, by how they were answered",
                      {{"cache", name}, {"outcome", outcome}});
  }

  // What a library throws ends here: those who wait have to get an answer.
  template <typename Make>
  static Result<ValuePtr> Run(Make& make, std::size_t& bytes) {
    try {
      Result<Made> made = make();
      if (!made) return std::move(made).error();
      bytes = made->bytes;
      return ValuePtr(std::make_shared<const Value>(std::move(made->value)));
    } catch (const std::bad_alloc&) {
      return Error{ErrorCode::kResourceExhausted, "out of memory"};
    } catch (const std::exception& thrown) {
      return Error{ErrorCode::kInternal, thrown.what()};
    }
  }

  // REQUIRES: mutex_ is held.
  void Keep(const std::string& key, const ValuePtr& value, std::size_t value_bytes) {
    if (auto held = entries_.find(key); held != entries_.end()) Drop(held->second);
    const std::size_t entry_bytes = value_bytes + key.size() + sizeof(Entry);
    if (entry_bytes > bytes_max_) return;
    recent_.push_front({key, value, entry_bytes});
    entries_[key] = recent_.begin();
    bytes_ += entry_bytes;
    held_bytes_.Increment(static_cast<double>(entry_bytes));
    while (bytes_ > bytes_max_) Drop(std::prev(recent_.end()));
  }

  // REQUIRES: mutex_ is held.
  void Drop(typename std::list<Entry>::iterator entry) {
    bytes_ -= entry->bytes;
    held_bytes_.Decrement(static_cast<double>(entry->bytes));
    entries_.erase(entry->key);
    recent_.erase(entry);
  }

  // set in the constructor, never changed
  const std::size_t bytes_max_;
  prometheus::Counter& hits_;
  prometheus::Counter& joins_;
  prometheus::Counter& misses_;
  prometheus::Gauge& held_bytes_;

  mutable std::mutex mutex_;
  std::condition_variable landed_;
  // GUARDED_BY(mutex_)
  std::list<Entry> recent_;  // most recently used first
  std::unordered_map<std::string, typename std::list<Entry>::iterator> entries_;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
  std::size_t bytes_ = 0;
  std::uint64_t generation_ = 0;
};

}  // namespace millrace
