// The audit log: one JSON object a line for each request that was let in or turned away.
//
//   {"time":"2026-11-21T14:03:00.250Z","user":"ann","key":"MR…","action":"kinesis:PutRecord","resource":"arn:…",
//    "peer":"10.0.0.7:40112","method":"POST","path":"/","status":200,"request_id":"…"}
//
// What is empty is left out (`user` and `key` where nobody was made out). Nothing secret is in it: no query,
// no header, no body. A file that would grow over its size is renamed to FILE.1, that to FILE.2, and so on up
// to FILE.keep. Where it cannot be renamed it does not grow either: its lines are dropped until it can.
//
// Requests do not wait for it: recording must go on when this disk does not. Lines that find the queue full,
// or that the disk refuses, are dropped and counted (millrace_audit_dropped_total), and a line
// {"time":…,"dropped":n} stands in their place as soon as lines can be written again.
//
// Threads: Add from any; one of its own writes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/time.h"

namespace millrace::api {

struct AuditEntry {
  Timestamp time;
  std::string user;    // "": nobody
  std::string key_id;  // likewise
  std::string action;
  std::string resource;
  std::string peer;
  std::string method;
  std::string path;
  int status = 0;  // 0: the connection ended before the answer
  std::string error;
  std::string request_id;
};

// The line, without its end.
std::string ToAuditLine(const AuditEntry& entry);

class AuditLog {
 public:
  struct Options {
    std::filesystem::path file;
    std::uint64_t bytes_max = 64u << 20;
    unsigned keep = 8;  // files besides the newest
    std::size_t lines_waiting_max = 16'384;
  };

  // Appends to the file; one that is made is readable by its owner and group. Errors: kIo.
  static Result<std::unique_ptr<AuditLog>> Open(Options options);
  ~AuditLog();  // writes what waits
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  void Add(const AuditEntry& entry);
  // Returns when all that was added before was written or dropped.
  void Flush();

 private:
  AuditLog(Options options, int fd, std::uint64_t bytes);
  void Run();
  bool Write(const std::string& text);  // false: the disk refused it
  int Rotate();                         // errno of what kept the file from being put aside; 0: nothing
  void OpenFile();                      // and takes its size
  void Drop(std::uint64_t lines);

  const Options options_;
  // of the thread
  int fd_;
  std::uint64_t bytes_;
  bool failing_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;  // GUARDED_BY(mutex_)
  std::uint64_t dropped_ = 0;      // since the last line that said so; GUARDED_BY(mutex_)
  bool writing_ = false;           // GUARDED_BY(mutex_)
  bool stopping_ = false;          // GUARDED_BY(mutex_)
  std::thread thread_;
};

}  // namespace millrace::api
