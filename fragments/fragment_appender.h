// Puts fragments into the fragment log, and does not lose them to a disk that says no for a while.
//
// What the log refuses for now (its queue is full, the disk is full, it is being opened again) is held here
// and tried again twice a second until it is stored. The fragments of one partition key stay in order: while
// some are held, later ones wait behind them. Bounded in bytes: what does not fit is refused with the log's
// last word, and is lost. Where a refusal leaves open whether the fragment was stored after all, the log is
// asked before it is put again.
//
// Threads: any may Append; it never waits. Callbacks run on the log's threads or on the appender's own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/time.h"
#include "storage/record_log.h"

namespace millrace {

class FragmentAppender {
 public:
  struct Options {
    std::string data_stream;
    storage::AttributeId number_attribute = 0;  // of a record: what it is found by
    std::uint64_t held_bytes_max = 256u << 20;
    Duration retry_interval = std::chrono::milliseconds(500);  // of real time
  };
  using Done = std::function<void(Result<void>)>;

  // `log` outlives this.
  FragmentAppender(storage::RecordLog& log, Options options);
  // What is still held is refused with the log's last word. Waits for what is under way.
  ~FragmentAppender();
  FragmentAppender(const FragmentAppender&) = delete;
  FragmentAppender& operator=(const FragmentAppender&) = delete;

  // `done` is called once, when it is stored or lost; never within this call.
  void Append(storage::PutRecord record, Done done);
  // Lets go of those held ones of the key of which `drop` says so, as if they were stored. One that is just
  // being put again is left to the log, and let go of where that does not store it; one that is put for the
  // first time is not held yet.
  void Drop(const std::string& partition_key, const std::function<bool(const storage::PutRecord&)>& drop);

 private:
  struct Item {
    storage::PutRecord record;  // shares its data with the one that is put
    Done done;
    Error error;            // the log's last word
    bool in_doubt = false;  // it may be stored
    bool dropped = false;   // while it was being put
    std::uint64_t bytes = 0;
  };
  using ItemPtr = std::shared_ptr<Item>;
  // Of one partition key.
  struct Lane {
    std::deque<ItemPtr> held;
    bool busy = false;  // the first is being put
  };

  void Put(ItemPtr item);
  void Refused(ItemPtr item, Error error);
  bool Hold(const ItemPtr& item);  // REQUIRES: mutex_ is held. False: it does not fit
  void PutFirst(const std::string& key);
  void FirstDone(const std::string& key, Result<storage::PutReceipt> receipt);
  ItemPtr TakeFirst(const std::string& key);  // REQUIRES: mutex_ is held; there is one
  void Finish(const ItemPtr& item, Result<void> result);
  Result<bool> IsStored(const Item& item);
  void Retry();
  void Run();

  storage::RecordLog& log_;
  const Options options_;

  std::mutex mutex_;  // guards what follows; never held while the log is called
  std::condition_variable changed_;
  std::map<std::string, Lane> lanes_;  // with something held
  std::uint64_t held_bytes_ = 0;
  std::size_t under_way_ = 0;  // accepted, and `done` not called yet
  bool again_ = false;         // do not wait for the interval
  bool stopping_ = false;

  std::thread thread_;  // last: starts when the rest is there
};

}  // namespace millrace
