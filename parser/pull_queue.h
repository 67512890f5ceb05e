// What ElementReader and FrameReader are made of: a parser that is pushed when its reader asks for more.
#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "parser/byte_source.h"

namespace millrace {

// Items that a parser's callbacks have added and nobody has taken yet: those of one read at most.
// Threads: one owner at a time.
template <typename Item>
class PullQueue {
 public:
  void Add(Item item) { ahead_.push_back(std::move(item)); }

  // The next item; reads `source` into `parser` (Push and Finish), which adds here, while there is none.
  // None: the end. An error comes when all before it is taken, and stays.
  template <typename Parser>
  Result<std::optional<Item>> Next(ByteSource& source, Parser& parser) {
    while (ahead_.empty() && !ended_ && !failed_) {
      if (auto read = ReadOn(source, parser); !read) failed_ = std::move(read).error();
    }
    if (ahead_.empty() && failed_) return *failed_;
    if (ahead_.empty()) return std::optional<Item>();
    std::optional<Item> next(std::move(ahead_.front()));
    ahead_.pop_front();
    return next;
  }

 private:
  template <typename Parser>
  Result<void> ReadOn(ByteSource& source, Parser& parser) {
    Bytes piece(kReadBytes);
    MILLRACE_ASSIGN_OR_RETURN(const std::size_t count, source.Read(piece));
    if (count > 0) return parser.Push(SharedBytes(std::move(piece)).Slice(0, count));
    ended_ = true;
    return parser.Finish();
  }

  std::deque<Item> ahead_;
  bool ended_ = false;
  std::optional<Error> failed_;
};

}  // namespace millrace
