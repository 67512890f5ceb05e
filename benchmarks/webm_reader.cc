#include "benchmarks/webm_reader.h"

#include <webm/callback.h>
#include <webm/reader.h>
#include <webm/status.h>
#include <webm/webm_parser.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

namespace millrace {
namespace {

class SpanReader final : public webm::Reader {
 public:
  explicit SpanReader(ByteSpan bytes) : bytes_(bytes) {}

  webm::Status Read(std::size_t wanted, std::uint8_t* out, std::uint64_t* got) override {
    const std::size_t count = std::min(wanted, bytes_.size() - position_);
    std::memcpy(out, bytes_.data() + position_, count);
    return Took(count, wanted, got);
  }
  webm::Status Skip(std::uint64_t wanted, std::uint64_t* got) override {
    return Took(static_cast<std::size_t>(std::min<std::uint64_t>(wanted, bytes_.size() - position_)), wanted,
                got);
  }
  std::uint64_t Position() const override { return position_; }

 private:
  webm::Status Took(std::size_t count, std::uint64_t wanted, std::uint64_t* got) {
    position_ += count;
    *got = count;
    if (count == wanted) return webm::Status(webm::Status::kOkCompleted);
    return webm::Status(count == 0 ? webm::Status::kEndOfFile : webm::Status::kOkPartial);
  }

  const ByteSpan bytes_;
  std::size_t position_ = 0;
};

class Counter final : public webm::Callback {
 public:
  explicit Counter(bool copy) : copy_(copy) {}

  webm::Status OnFrame(const webm::FrameMetadata& metadata, webm::Reader* reader,
                       std::uint64_t* remaining) override {
    ++totals.packets;
    totals.bytes += metadata.size;
    if (!copy_) return Callback::OnFrame(metadata, reader, remaining);
    frame_.resize(static_cast<std::size_t>(metadata.size));
    std::uint64_t got = 0;
    const webm::Status status = reader->Read(frame_.size(), frame_.data(), &got);
    *remaining -= got;
    return status;
  }
  WebmTotals totals;

 private:
  const bool copy_;
  Bytes frame_;
};

}  // namespace

WebmTotals ReadByLibwebm(ByteSpan document, bool copy) {
  SpanReader reader(document);
  Counter counter(copy);
  webm::WebmParser parser;
  const webm::Status status = parser.Feed(&counter, &reader);
  if (!status.completed_ok()) throw std::runtime_error("libwebm: status " + std::to_string(status.code));
  return counter.totals;
}

}  // namespace millrace
