#include "wire/aggregated_record.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>

#include "base/text.h"

namespace millrace::wire {
namespace {

constexpr std::array<std::uint8_t, 4> kMagic{0xf3, 0x89, 0x9a, 0xc2};
constexpr std::size_t kDigestBytes = 16;
constexpr std::string_view kHashKeyMax = "340282366920938463463374607431768211455";  // 2^128 - 1

enum WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

std::array<std::uint8_t, kDigestBytes> Md5(ByteSpan bytes) {
  std::array<std::uint8_t, kDigestBytes> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_md5(), nullptr) != 1) {
    throw std::runtime_error("this OpenSSL has no MD5");
  }
  return digest;
}

// A message's fields, one after the other. What is malformed ends it, with ok() false.
class FieldReader {
 public:
  explicit FieldReader(ByteSpan message) : rest_(message) {}

  // The next field; false: there is none.
  bool Next() {
    if (!ok_ || rest_.empty()) return false;
    const auto tag = Varint();
    if (!tag || *tag >> 3 == 0 || *tag >> 32 != 0) return Fail();
    number_ = static_cast<std::uint32_t>(*tag >> 3);
    type_ = static_cast<std::uint32_t>(*tag & 7);
    switch (type_) {
      case kVarint: {
        const auto value = Varint();
        if (!value) return Fail();
        value_ = *value;
        return true;
      }
      case kFixed64:
        return Take(8);
      case kFixed32:
        return Take(4);
      case kLengthDelimited: {
        const auto size = Varint();
        return size && *size <= rest_.size() ? Take(static_cast<std::size_t>(*size)) : Fail();
      }
      default:
        return Fail();  // groups, which nobody writes
    }
  }

  bool Is(std::uint32_t number, WireType type) const { return number_ == number && type_ == type; }
  std::uint64_t value() const { return value_; }  // of a kVarint
  ByteSpan bytes() const { return bytes_; }       // of a kLengthDelimited
  bool ok() const { return ok_; }

 private:
  bool Fail() {
    ok_ = false;
    return false;
  }
  bool Take(std::size_t size) {
    if (size > rest_.size()) return Fail();
    bytes_ = rest_.first(size);
    rest_ = rest_.subspan(size);
    return true;
  }
  std::optional<std::uint64_t> Varint() {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 10 && i < rest_.size(); ++i) {
      const std::uint8_t byte = rest_[i];
      if (i == 9 && byte > 1) return std::nullopt;  // over 64 bits
      value |= std::uint64_t{byte & 0x7fu} << (7 * i);
      if (byte < 0x80) {
        rest_ = rest_.subspan(i + 1);
        return value;
      }
    }
    return std::nullopt;
  }

  ByteSpan rest_;
  std::uint32_t number_ = 0;
  std::uint32_t type_ = 0;
  std::uint64_t value_ = 0;
  ByteSpan bytes_;
  bool ok_ = true;
};

bool IsHashKey(std::string_view text) {
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  if (!digits || (text.size() > 1 && text.front() == '0')) return false;
  return text.size() < kHashKeyMax.size() || (text.size() == kHashKeyMax.size() && text <= kHashKeyMax);
}

std::optional<UserRecord> ReadRecord(ByteSpan message, const std::vector<std::string_view>& partition_keys,
                                     const std::vector<std::string_view>& hash_keys) {
  std::optional<std::uint64_t> key;
  std::optional<std::uint64_t> hash_key;
  std::optional<ByteSpan> data;
  FieldReader fields(message);
  while (fields.Next()) {
    if (fields.Is(1, kVarint)) key = fields.value();
    if (fields.Is(2, kVarint)) hash_key = fields.value();
    if (fields.Is(3, kLengthDelimited)) data = fields.bytes();
  }
  if (!fields.ok() || !key || !data || *key >= partition_keys.size()) return std::nullopt;
  if (hash_key && *hash_key >= hash_keys.size()) return std::nullopt;
  UserRecord record{partition_keys[static_cast<std::size_t>(*key)], std::nullopt, *data};
  if (hash_key) record.explicit_hash_key = hash_keys[static_cast<std::size_t>(*hash_key)];
  return record;
}

void AppendVarint(Bytes& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

void AppendNumber(Bytes& out, std::uint32_t number, std::uint64_t value) {
  AppendVarint(out, std::uint64_t{number} << 3 | kVarint);
  AppendVarint(out, value);
}

void AppendBytes(Bytes& out, std::uint32_t number, ByteSpan value) {
  AppendVarint(out, std::uint64_t{number} << 3 | kLengthDelimited);
  AppendVarint(out, value.size());
  out.insert(out.end(), value.begin(), value.end());
}

// The strings of a table, each once, in the order of their first use.
class Table {
 public:
  std::uint64_t IndexOf(std::string_view text) {
    const auto [found, added] = indices_.try_emplace(text, texts_.size());
    if (added) texts_.push_back(text);
    return found->second;
  }
  void AppendTo(Bytes& out, std::uint32_t number) const {
    for (std::string_view text : texts_) AppendBytes(out, number, AsBytes(text));
  }

 private:
  std::map<std::string_view, std::uint64_t> indices_;
  std::vector<std::string_view> texts_;
};

}  // namespace

std::optional<std::vector<UserRecord>> ReadAggregatedRecord(ByteSpan data) {
  if (data.size() <= kMagic.size() + kDigestBytes) return std::nullopt;
  if (!std::equal(kMagic.begin(), kMagic.end(), data.begin())) return std::nullopt;
  const ByteSpan digest = data.last(kDigestBytes);
  const ByteSpan message = data.subspan(kMagic.size(), data.size() - kMagic.size() - kDigestBytes);
  const auto expected = Md5(message);
  if (!std::equal(digest.begin(), digest.end(), expected.begin())) return std::nullopt;

  // The tables first: nothing says that they stand before the records.
  std::vector<std::string_view> partition_keys;
  std::vector<std::string_view> hash_keys;
  FieldReader tables(message);
  while (tables.Next()) {
    if (tables.Is(1, kLengthDelimited)) {
      if (!IsUtf8(AsText(tables.bytes()))) return std::nullopt;
      partition_keys.push_back(AsText(tables.bytes()));
    }
    if (tables.Is(2, kLengthDelimited)) {
      if (!IsHashKey(AsText(tables.bytes()))) return std::nullopt;
      hash_keys.push_back(AsText(tables.bytes()));
    }
  }
  if (!tables.ok()) return std::nullopt;
  std::vector<UserRecord> records;
  FieldReader fields(message);
  while (fields.Next()) {
    if (!fields.Is(3, kLengthDelimited)) continue;
    const auto record = ReadRecord(fields.bytes(), partition_keys, hash_keys);
    if (!record) return std::nullopt;
    records.push_back(*record);
  }
  if (records.empty()) return std::nullopt;
  return records;
}

bool BelongsTo(const UserRecord& record, std::string_view first_hash_key, std::string_view last_hash_key) {
  __extension__ using Wide = unsigned __int128;
  const auto parse = [](std::string_view decimal) {
    Wide value = 0;
    for (char digit : decimal) value = value * 10 + static_cast<Wide>(digit - '0');
    return value;
  };
  Wide key = 0;
  if (record.explicit_hash_key) {
    key = parse(*record.explicit_hash_key);
  } else {
    for (const std::uint8_t byte : Md5(AsBytes(record.partition_key))) key = key << 8 | byte;
  }
  return parse(first_hash_key) <= key && key <= parse(last_hash_key);
}

Bytes WriteAggregatedRecord(const std::vector<UserRecord>& records) {
  Table partition_keys;
  Table hash_keys;
  Bytes list;
  for (const UserRecord& record : records) {
    Bytes message;
    AppendNumber(message, 1, partition_keys.IndexOf(record.partition_key));
    if (record.explicit_hash_key) AppendNumber(message, 2, hash_keys.IndexOf(*record.explicit_hash_key));
    AppendBytes(message, 3, record.data);
    AppendBytes(list, 3, message);
  }
  Bytes body;
  partition_keys.AppendTo(body, 1);
  hash_keys.AppendTo(body, 2);
  body.insert(body.end(), list.begin(), list.end());
  const auto digest = Md5(body);
  Bytes out(kMagic.begin(), kMagic.end());
  out.insert(out.end(), body.begin(), body.end());
  out.insert(out.end(), digest.begin(), digest.end());
  return out;
}

}  // namespace millrace::wire
