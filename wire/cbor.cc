#include "wire/cbor.h"

#include <cmath>
#include <limits>
#include <utility>

#include "base/text.h"

namespace millrace::wire {
namespace {

namespace json = boost::json;

// RFC 8949 section 3.1.
enum MajorType : std::uint8_t { kUnsigned, kNegative, kByteString, kTextString, kArray, kMap, kTag, kSimple };

constexpr std::uint8_t kIndefinite = 31;  // as additional information
constexpr std::uint8_t kBreak = 0xFF;
constexpr std::uint64_t kEpochTag = 1;

// Section 3 of the RFC: an item's first byte, and the argument that follows it.
struct Head {
  std::uint8_t major_type = 0;
  std::uint8_t information = 0;  // kIndefinite: there is no argument
  std::uint64_t argument = 0;

  bool indefinite() const { return information == kIndefinite; }
};

Error Malformed(const char* what) { return {ErrorCode::kInvalidArgument, std::string("CBOR: ") + what}; }

// Appendix D of the RFC.
double HalfFloat(std::uint16_t half) {
  const int exponent = (half >> 10) & 0x1F;
  const int mantissa = half & 0x3FF;
  const double value = exponent == 0    ? std::ldexp(mantissa, -24)
                       : exponent == 31 ? std::numeric_limits<double>::infinity()
                                        : std::ldexp(mantissa + 1024, exponent - 25);
  return (half & 0x8000) != 0 ? -value : value;
}

template <typename Real, typename Bits>
double RealOf(std::uint64_t argument) {
  const auto bits = static_cast<Bits>(argument);
  Real real;
  std::memcpy(&real, &bits, sizeof(real));
  return real;
}

class Reader {
 public:
  Reader(ByteSpan bytes, json::storage_ptr storage) : left_(bytes), storage_(std::move(storage)) {}

  bool empty() const { return left_.empty(); }

  // `depth`: how many levels there may be, this one included.
  Result<json::value> Item(std::size_t depth) {
    MILLRACE_ASSIGN_OR_RETURN(const Head head, ReadHead());
    return ItemOf(head, depth);
  }

 private:
  Result<Head> ReadHead() {
    if (left_.empty()) return Malformed("it ends in the middle of an item");
    Head head{static_cast<std::uint8_t>(left_[0] >> 5), static_cast<std::uint8_t>(left_[0] & 0x1F), 0};
    left_ = left_.subspan(1);
    if (head.information < 24) {
      head.argument = head.information;
    } else if (head.information < 28) {
      const std::size_t size = std::size_t{1} << (head.information - 24);
      if (left_.size() < size) return Malformed("it ends in the middle of an item");
      for (const std::uint8_t byte : left_.first(size)) head.argument = (head.argument << 8) | byte;
      left_ = left_.subspan(size);
    } else if (!head.indefinite()) {
      return Malformed("a reserved length");
    }
    return head;
  }

  // True: the break that ends an item of indefinite length was next, and has been taken.
  bool TakeBreak() {
    if (left_.empty() || left_[0] != kBreak) return false;
    left_ = left_.subspan(1);
    return true;
  }

  Result<json::value> ItemOf(const Head& head, std::size_t depth) {
    if (depth == 0) return Malformed("it is nested too deep");
    switch (head.major_type) {
      case kUnsigned:
      case kNegative:
        return Number(head);
      case kByteString:
      case kTextString:
        return String(head);
      case kArray:
        return Array(head, depth);
      case kMap:
        return Map(head, depth);
      case kTag:
        return Tagged(head, depth);
      default:
        return Simple(head);
    }
  }

  Result<json::value> Number(const Head& head) {
    if (head.indefinite()) return Malformed("a number of indefinite length");
    constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
    if (head.argument <= kMax) {
      const auto number = static_cast<std::int64_t>(head.argument);
      return json::value(head.major_type == kNegative ? -1 - number : number, storage_);
    }
    if (head.major_type == kUnsigned) return json::value(head.argument, storage_);
    return json::value(-1.0 - static_cast<double>(head.argument), storage_);
  }

  // The bytes of one string of definite length, in the input.
  Result<json::string_view> Chunk(const Head& head) {
    if (head.argument > left_.size()) return Malformed("a string is longer than what is there");
    const std::string_view chunk = AsText(left_.first(static_cast<std::size_t>(head.argument)));
    // Each chunk of a text is a text (section 3.2.3).
    if (head.major_type == kTextString && !IsUtf8(chunk)) return Malformed("a text is not UTF-8");
    left_ = left_.subspan(chunk.size());
    return json::string_view(chunk.data(), chunk.size());
  }

  Result<json::value> String(const Head& head) {
    json::string text(storage_);
    if (head.major_type == kByteString) text.push_back(kCborBytesMark);
    if (!head.indefinite()) {
      MILLRACE_ASSIGN_OR_RETURN(const json::string_view whole, Chunk(head));
      text.append(whole);
      return json::value(std::move(text));
    }
    while (!TakeBreak()) {
      MILLRACE_ASSIGN_OR_RETURN(const Head part_head, ReadHead());
      if (part_head.major_type != head.major_type || part_head.indefinite()) {
        return Malformed("a string holds a chunk of another kind");
      }
      MILLRACE_ASSIGN_OR_RETURN(const json::string_view part, Chunk(part_head));
      text.append(part);
    }
    return json::value(std::move(text));
  }

  // Whether an array or a map goes on behind `count` of its items. Announced lengths reserve nothing: they
  // cost nothing to write.
  bool GoesOn(const Head& head, std::uint64_t count) {
    return head.indefinite() ? !TakeBreak() : count < head.argument;
  }

  Result<json::value> Array(const Head& head, std::size_t depth) {
    json::array array(storage_);
    for (std::uint64_t count = 0; GoesOn(head, count); ++count) {
      MILLRACE_ASSIGN_OR_RETURN(json::value item, Item(depth - 1));
      array.push_back(std::move(item));
    }
    return json::value(std::move(array));
  }

  Result<json::value> Map(const Head& head, std::size_t depth) {
    json::object object(storage_);
    for (std::uint64_t count = 0; GoesOn(head, count); ++count) {
      MILLRACE_ASSIGN_OR_RETURN(const Head key_head, ReadHead());
      if (key_head.major_type != kTextString) return Malformed("a key is no text");
      json::value joined(nullptr, storage_);
      json::string_view key;  // of the input, but where that has it in chunks
      if (key_head.indefinite()) {
        MILLRACE_ASSIGN_OR_RETURN(joined, String(key_head));
        key = joined.get_string();
      } else {
        MILLRACE_ASSIGN_OR_RETURN(key, Chunk(key_head));
      }
      MILLRACE_ASSIGN_OR_RETURN(json::value item, Item(depth - 1));
      object.insert_or_assign(key, std::move(item));
    }
    return json::value(std::move(object));
  }

  Result<json::value> Tagged(const Head& head, std::size_t depth) {
    if (head.indefinite()) return Malformed("a tag of indefinite length");
    MILLRACE_ASSIGN_OR_RETURN(json::value item, Item(depth - 1));
    if (head.argument == kEpochTag && item.is_number()) {
      return json::value(item.to_number<double>() / 1000, storage_);
    }
    return item;
  }

  Result<json::value> Simple(const Head& head) {
    double real = 0;
    switch (head.information) {
      case 20:
      case 21:
        return json::value(head.information == 21, storage_);
      case 22:  // null
      case 23:  // undefined
        return json::value(nullptr, storage_);
      case 25:
        real = HalfFloat(static_cast<std::uint16_t>(head.argument));
        break;
      case 26:
        real = RealOf<float, std::uint32_t>(head.argument);
        break;
      case 27:
        real = RealOf<double, std::uint64_t>(head.argument);
        break;
      default:
        return Malformed("a break or a simple value where none may be");
    }
    if (!std::isfinite(real)) return Malformed("a number that is none");
    return json::value(real, storage_);
  }

  ByteSpan left_;
  json::storage_ptr storage_;
};

}  // namespace

Result<json::value> DecodeCbor(ByteSpan bytes, std::size_t depth_max, json::storage_ptr storage) {
  Reader reader(bytes, std::move(storage));
  MILLRACE_ASSIGN_OR_RETURN(json::value value, reader.Item(depth_max));
  if (!reader.empty()) return Malformed("more than one item");
  return value;
}

std::optional<ByteSpan> CborBytesOf(std::string_view text) {
  if (text.empty() || text.front() != kCborBytesMark) return std::nullopt;
  return AsBytes(text.substr(1));
}

CborWriter& CborWriter::Byte(std::uint8_t byte) {
  text_.push_back(static_cast<char>(byte));
  return *this;
}

// The shortest form, as section 4.2.1 prefers it.
CborWriter& CborWriter::Head(std::uint8_t major_type, std::uint64_t argument) {
  const auto first = static_cast<std::uint8_t>(major_type << 5);
  if (argument < 24) return Byte(static_cast<std::uint8_t>(first | argument));
  const int size_log2 = argument <= 0xFF ? 0 : argument <= 0xFFFF ? 1 : argument <= 0xFFFF'FFFF ? 2 : 3;
  Byte(static_cast<std::uint8_t>(first | (24 + size_log2)));
  for (int shift = (8 << size_log2) - 8; shift >= 0; shift -= 8) {
    Byte(static_cast<std::uint8_t>(argument >> shift));
  }
  return *this;
}

CborWriter& CborWriter::String(std::string_view value) {
  Head(kTextString, value.size());
  text_ += value;
  return *this;
}

CborWriter& CborWriter::Integer(std::int64_t value) {
  if (value >= 0) return Unsigned(static_cast<std::uint64_t>(value));
  return Head(kNegative, static_cast<std::uint64_t>(-1 - value));
}

CborWriter& CborWriter::Unsigned(std::uint64_t value) { return Head(kUnsigned, value); }

CborWriter& CborWriter::Time(Timestamp time) {
  Head(kTag, kEpochTag);
  return Integer(time.millis());
}

CborWriter& CborWriter::Blob(ByteSpan bytes) {
  Head(kByteString, bytes.size());
  text_ += AsText(bytes);
  return *this;
}

}  // namespace millrace::wire
