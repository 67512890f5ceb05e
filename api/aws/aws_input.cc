#include "api/aws/aws_input.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "wire/base64.h"
#include "wire/cbor.h"

namespace millrace::api {
namespace {

constexpr std::size_t kToldMax = 10;           // the services tell no more constraints at once
constexpr std::size_t kQuotedBytesMax = 1024;  // of a value
constexpr char kNumberClass[] = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber";

bool IsAlphanumeric(char c) { return IsAsciiDigit(c) || IsAsciiLower(c) || (c >= 'A' && c <= 'Z'); }
bool AllDigits(std::string_view text) { return std::all_of(text.begin(), text.end(), IsAsciiDigit); }

bool IsName(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsAlphanumeric(c) || c == '_' || c == '.' || c == '-';
  });
}

bool IsDecimal(std::string_view text, std::size_t digits_max) {
  if (text.empty() || text.size() > digits_max || !AllDigits(text)) return false;
  return text == "0" || text.front() != '0';
}

bool IsBase64Text(std::string_view text) {
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return IsAlphanumeric(c) || c == '+' || c == '/'; });
}

bool IsStreamId(std::string_view text) {
  if (text.size() != 24 || text[20] != '-') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i != 20 && !IsAsciiDigit(text[i]) && !IsAsciiLower(text[i])) return false;
  }
  return true;
}

std::string_view View(const boost::json::string& text) { return {text.data(), text.size()}; }

bool IsText(const boost::json::value& value) {
  return value.is_string() && !wire::CborBytesOf(View(value.get_string()));
}

std::size_t Characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string LowerCamel(std::string_view name) {
  std::string text(name);
  if (!text.empty()) text[0] = AsciiLower(text[0]);
  return text;
}

// Why a value is no scalar of `wanted` ("an String").
std::string CannotConvert(const boost::json::value& value, std::string_view wanted) {
  if (value.is_array()) return "Start of list found where not expected";
  if (value.is_object()) return "Start of structure or map found where not expected.";
  std::string from = value.is_bool()     ? "class java.lang.Boolean"
                     : IsText(value)     ? "class java.lang.String"
                     : value.is_string() ? "class java.nio.HeapByteBuffer"
                                         : kNumberClass;
  return from + " can not be converted to " + std::string(wanted);
}

std::string ListOf(std::span<const std::string_view> values) {
  std::string text = "[";
  for (const std::string_view value : values) text += (text.size() > 1 ? ", " : "") + std::string(value);
  return text + "]";
}

}  // namespace

const AwsPattern kAwsNamePattern{"[a-zA-Z0-9_.-]+", IsName};
const AwsPattern kAwsHashKeyPattern{"0|([1-9]\\d{0,38})",
                                    [](std::string_view text) { return IsDecimal(text, 39); }};
const AwsPattern kAwsSequenceNumberPattern{"0|([1-9]\\d{0,128})",
                                           [](std::string_view text) { return IsDecimal(text, 129); }};
const AwsPattern kAwsDigitsPattern{"^[0-9]+$",
                                   [](std::string_view text) { return !text.empty() && AllDigits(text); }};
const AwsPattern kAwsTokenPattern{"[a-zA-Z0-9+/]+={0,2}", IsBase64Text};
const AwsPattern kAwsStreamIdPattern{"[a-z0-9]{20}-[a-z0-9]{3}", IsStreamId};

AwsInput::AwsInput(const boost::json::object& object)
    : AwsInput(object, std::make_shared<Problems>(), std::string()) {}

AwsInput::AwsInput(const boost::json::object& object, std::shared_ptr<Problems> problems, std::string path)
    : object_(&object), problems_(std::move(problems)), path_(std::move(path)) {}

const boost::json::value* AwsInput::Find(std::string_view name) const {
  const boost::json::value* value = object_->if_contains(boost::json::string_view(name.data(), name.size()));
  return value != nullptr && value->is_null() ? nullptr : value;
}

const boost::json::value* AwsInput::Find(std::string_view name, bool required) {
  const boost::json::value* value = Find(name);
  if (value == nullptr && required) {
    ++problems_->count;
    if (problems_->constraints.size() < kToldMax) {
      problems_->constraints.push_back("Value null at '" + PathOf(name) +
                                       "' failed to satisfy constraint: Member must not be null");
    }
  }
  return value;
}

std::string AwsInput::PathOf(std::string_view name) const { return path_ + LowerCamel(name); }

void AwsInput::TypeError(std::string text) {
  if (!problems_->type_error) problems_->type_error = std::move(text);
}

void AwsInput::FailAt(const std::string& path, std::string_view value, std::string_view rule) {
  ++problems_->count;
  if (problems_->constraints.size() >= kToldMax) return;
  problems_->constraints.push_back("Value '" + Excerpt(value, kQuotedBytesMax) + "' at '" + path +
                                   "' failed to satisfy constraint: " + std::string(rule));
}

void AwsInput::Fail(std::string_view name, std::string_view value, std::string_view rule) {
  FailAt(PathOf(name), value, rule);
}

std::optional<AwsError> AwsInput::Finish() const {
  if (problems_->type_error) return AwsError("SerializationException", *problems_->type_error);
  if (problems_->count == 0) return std::nullopt;
  const std::size_t told = problems_->constraints.size();
  std::string text =
      std::to_string(told) + (told == 1 ? " validation error detected: " : " validation errors detected: ");
  for (std::size_t i = 0; i < told; ++i) text += (i > 0 ? "; " : "") + problems_->constraints[i];
  return AwsError("ValidationException", std::move(text));
}

std::optional<std::string> AwsInput::CheckedString(const boost::json::value& value, const std::string& path,
                                                   const AwsStringRule& rule) {
  if (!IsText(value)) {
    TypeError(CannotConvert(value, "an String"));
    return std::nullopt;
  }
  const std::string_view text = View(value.get_string());
  const std::size_t before = problems_->count;
  if (!rule.values.empty()) {
    if (std::find(rule.values.begin(), rule.values.end(), text) == rule.values.end()) {
      FailAt(path, text, "Member must satisfy enum value set: " + ListOf(rule.values));
    }
  } else {
    if (rule.pattern.matches != nullptr && !rule.pattern.matches(text)) {
      FailAt(path, text, "Member must satisfy regular expression pattern: " + std::string(rule.pattern.text));
    }
    const std::size_t characters = Characters(text);
    if (characters < rule.min) {
      FailAt(path, text, "Member must have length greater than or equal to " + std::to_string(rule.min));
    }
    if (characters > rule.max) {
      FailAt(path, text, "Member must have length less than or equal to " + std::to_string(rule.max));
    }
  }
  if (problems_->count != before) return std::nullopt;
  return std::string(text);
}

std::optional<std::string> AwsInput::String(std::string_view name, const AwsStringRule& rule) {
  const auto* value = Find(name, rule.required);
  if (value == nullptr) return std::nullopt;
  return CheckedString(*value, PathOf(name), rule);
}

std::optional<std::int64_t> AwsInput::CheckedInteger(const boost::json::value& value, const std::string& path,
                                                     const AwsIntegerRule& rule) {
  if (!value.is_number()) {
    TypeError(CannotConvert(value, "an Integer"));
    return std::nullopt;
  }
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  std::int64_t number = 0;
  if (value.is_int64()) {
    number = value.get_int64();
  } else if (value.is_uint64()) {
    number = kMax;  // else it were an int64
  } else {
    const double real = std::floor(value.get_double());
    number = real >= 9.2e18 ? kMax : real <= -9.2e18 ? kMin : static_cast<std::int64_t>(real);
  }
  const std::size_t before = problems_->count;
  if (number < rule.min) {
    FailAt(path, std::to_string(number),
           "Member must have value greater than or equal to " + std::to_string(rule.min));
  }
  if (number > rule.max) {
    FailAt(path, std::to_string(number),
           "Member must have value less than or equal to " + std::to_string(rule.max));
  }
  if (problems_->count != before) return std::nullopt;
  return number;
}

std::optional<std::int64_t> AwsInput::Integer(std::string_view name, const AwsIntegerRule& rule) {
  const auto* value = Find(name, rule.required);
  if (value == nullptr) return std::nullopt;
  return CheckedInteger(*value, PathOf(name), rule);
}

std::optional<bool> AwsInput::Bool(std::string_view name) {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  if (IsText(*value)) {
    TypeError("'" + Excerpt(View(value->get_string())) + "' can not be converted to an Boolean");
  } else {
    TypeError(CannotConvert(*value, "an Boolean"));
  }
  return std::nullopt;
}

std::optional<Timestamp> AwsInput::Time(std::string_view name, bool required) {
  const auto* value = Find(name, required);
  if (value == nullptr) return std::nullopt;
  constexpr double kSecondsMax = 9e9;  // the year 2255: nanoseconds still fit into 64 bits
  if (value->is_number()) {
    const auto seconds = value->to_number<double>();
    if (std::abs(seconds) <= kSecondsMax) return Timestamp::FromMillis(std::llround(seconds * 1000));
    TypeError("a number of seconds that is not a time can not be converted to milliseconds since epoch");
  } else {
    TypeError(CannotConvert(*value, "milliseconds since epoch"));
  }
  return std::nullopt;
}

std::optional<Bytes> AwsInput::Blob(std::string_view name, bool required, std::size_t bytes_max) {
  const auto* value = Find(name, required);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    TypeError(CannotConvert(*value, "a Blob"));
    return std::nullopt;
  }
  const std::string_view text = View(value->get_string());
  const auto plain = wire::CborBytesOf(text);
  auto bytes = plain ? Result<Bytes>(Bytes(plain->begin(), plain->end())) : wire::DecodeBase64(text);
  if (!bytes) {
    TypeError("'" + Excerpt(text) + "' can not be converted to a Blob: " + bytes.error().message);
    return std::nullopt;
  }
  if (bytes->size() > bytes_max) {
    const std::string size = std::to_string(bytes->size());
    Fail(name, "java.nio.HeapByteBuffer[pos=0 lim=" + size + " cap=" + size + "]",
         "Member must have length less than or equal to " + std::to_string(bytes_max));
    return std::nullopt;
  }
  return std::move(*bytes);
}

std::optional<AwsInput> AwsInput::Structure(std::string_view name, bool required) {
  const auto* value = Find(name, required);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) {
    TypeError("Expected null");
    return std::nullopt;
  }
  return AwsInput(value->get_object(), problems_, PathOf(name) + ".");
}

const boost::json::array* AwsInput::CheckedList(std::string_view name, const AwsListRule& rule) {
  const auto* value = Find(name, rule.required);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) {
    TypeError("Expected list or null");
    return nullptr;
  }
  const auto& list = value->get_array();
  const std::string shown = "[" + std::to_string(list.size()) + " members]";
  if (list.size() < rule.min) {
    Fail(name, shown, "Member must have length greater than or equal to " + std::to_string(rule.min));
  }
  if (list.size() > rule.max) {
    Fail(name, shown, "Member must have length less than or equal to " + std::to_string(rule.max));
  }
  return &list;
}

std::vector<AwsInput> AwsInput::Structures(std::string_view name, const AwsListRule& rule) {
  std::vector<AwsInput> items;
  const auto* list = CheckedList(name, rule);
  if (list == nullptr) return items;
  const std::size_t count = std::min(list->size(), rule.max);
  items.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& value = (*list)[i];
    if (!value.is_object()) {
      TypeError("Expected null");
      return items;
    }
    items.push_back(
        AwsInput(value.get_object(), problems_, PathOf(name) + "." + std::to_string(i + 1) + ".member."));
  }
  return items;
}

std::vector<std::string> AwsInput::Strings(std::string_view name, const AwsListRule& rule,
                                           const AwsStringRule& item) {
  std::vector<std::string> items;
  const auto* list = CheckedList(name, rule);
  if (list == nullptr) return items;
  const std::size_t count = std::min(list->size(), rule.max);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string path = PathOf(name) + "." + std::to_string(i + 1) + ".member";
    if (auto text = CheckedString((*list)[i], path, item)) items.push_back(std::move(*text));
  }
  return items;
}

std::vector<std::int64_t> AwsInput::Integers(std::string_view name, const AwsListRule& rule,
                                             const AwsIntegerRule& item) {
  std::vector<std::int64_t> items;
  const auto* list = CheckedList(name, rule);
  if (list == nullptr) return items;
  const std::size_t count = std::min(list->size(), rule.max);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string path = PathOf(name) + "." + std::to_string(i + 1) + ".member";
    if (auto number = CheckedInteger((*list)[i], path, item)) items.push_back(*number);
  }
  return items;
}

std::map<std::string, std::string> AwsInput::StringMap(std::string_view name, std::size_t count_max,
                                                       std::size_t key_max, std::size_t value_max,
                                                       bool required) {
  std::map<std::string, std::string> map;
  const auto* value = Find(name, required);
  if (value == nullptr) return map;
  if (!value->is_object()) {
    TypeError("Expected map or null");
    return map;
  }
  const auto& members = value->get_object();
  const std::string shown = "{" + std::to_string(members.size()) + " entries}";
  if (members.empty()) Fail(name, shown, "Member must have length greater than or equal to 1");
  if (members.size() > count_max) {
    Fail(name, shown, "Member must have length less than or equal to " + std::to_string(count_max));
    return map;
  }
  for (const auto& member : members) {
    const std::string key(member.key().data(), member.key().size());
    if (key.empty() || Characters(key) > key_max) {
      Fail(name, key,
           "Map keys must satisfy constraint: [Member must have length less than or equal to " +
               std::to_string(key_max) + ", Member must have length greater than or equal to 1]");
    }
    if (!IsText(member.value())) {
      TypeError(CannotConvert(member.value(), "an String"));
      continue;
    }
    const std::string_view text = View(member.value().get_string());
    if (Characters(text) > value_max) {
      Fail(name, text,
           "Map value must satisfy constraint: [Member must have length less than or equal to " +
               std::to_string(value_max) + ", Member must have length greater than or equal to 0]");
    }
    map.emplace(key, text);
  }
  return map;
}

}  // namespace millrace::api
