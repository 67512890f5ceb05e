// Writes the answer of an AWS operation once, in the encoding that its request came in: JSON with times in
// fractional seconds and blobs in base64, or CBOR with times in milliseconds and blobs as bytes.
//
//   AwsOutput output(request.encoding);
//   output.BeginObject().Key("StreamName").String(name).Key("Created").Time(created).EndObject();
//   return std::move(output).Take();
//
// Threads: one owner at a time.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "wire/cbor.h"
#include "wire/json_writer.h"

namespace millrace::api {

enum class AwsEncoding { kJson, kCbor };

class AwsOutput {
 public:
  // `bytes`: about how much is coming.
  explicit AwsOutput(AwsEncoding encoding, std::size_t bytes = 256)
      : writer_(encoding == AwsEncoding::kCbor ? Writer(wire::CborWriter(bytes))
                                               : Writer(wire::JsonWriter(bytes))) {}

  AwsOutput& BeginObject() {
    return Write([](auto& writer) { writer.BeginObject(); });
  }
  AwsOutput& EndObject() {
    return Write([](auto& writer) { writer.EndObject(); });
  }
  AwsOutput& BeginArray() {
    return Write([](auto& writer) { writer.BeginArray(); });
  }
  AwsOutput& EndArray() {
    return Write([](auto& writer) { writer.EndArray(); });
  }
  AwsOutput& Key(std::string_view name) {
    return Write([name](auto& writer) { writer.Key(name); });
  }
  // REQUIRES: `value` is UTF-8.
  AwsOutput& String(std::string_view value) {
    return Write([value](auto& writer) { writer.String(value); });
  }
  AwsOutput& Integer(std::int64_t value) {
    return Write([value](auto& writer) { writer.Integer(value); });
  }
  AwsOutput& Unsigned(std::uint64_t value) {
    return Write([value](auto& writer) { writer.Unsigned(value); });
  }
  AwsOutput& Bool(bool value) {
    return Write([value](auto& writer) { writer.Bool(value); });
  }
  AwsOutput& Time(Timestamp time) {
    if (auto* json = std::get_if<wire::JsonWriter>(&writer_)) {
      json->Seconds(time);
    } else {
      std::get<wire::CborWriter>(writer_).Time(time);
    }
    return *this;
  }
  AwsOutput& Blob(ByteSpan bytes) {
    if (auto* json = std::get_if<wire::JsonWriter>(&writer_)) {
      json->Base64(bytes);
    } else {
      std::get<wire::CborWriter>(writer_).Blob(bytes);
    }
    return *this;
  }

  std::string Take() && {
    return std::visit([](auto& writer) { return std::move(writer).Take(); }, writer_);
  }

 private:
  using Writer = std::variant<wire::JsonWriter, wire::CborWriter>;

  template <typename Step>
  AwsOutput& Write(Step step) {
    std::visit(step, writer_);
    return *this;
  }

  Writer writer_;
};

}  // namespace millrace::api
