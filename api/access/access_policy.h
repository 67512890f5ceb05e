// What users may do: IAM-style policies, and the decision they lead to.
//
// A statement allows or denies actions ("kinesis:PutRecord", "kinesisvideo:*") on resources (ARNs, or "*"
// where an action is on none in particular); `*` stands for any text, `?` for one character. A deny that
// matches wins over every allow; what nothing allows is not allowed.
//
// Threads: pure values and functions, any thread.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::api {

struct PolicyStatement {
  bool allow = false;  // false: deny
  std::vector<std::string> actions;
  std::vector<std::string> resources;
  std::vector<std::string> except{};  // of the resources: on these it does not speak
};

struct Policy {
  std::string name;  // for messages
  std::vector<PolicyStatement> statements;
};

using Policies = std::vector<std::shared_ptr<const Policy>>;

enum class Decision { kAllowed, kNotAllowed, kDenied };

// Actions compare without regard to case, resources with it.
Decision Decide(std::span<const std::shared_ptr<const Policy>> policies, std::string_view action,
                std::string_view resource);

// Takes time of the order of both lengths' product at most.
bool MatchesWildcards(std::string_view pattern, std::string_view text, bool ignore_case);

}  // namespace millrace::api
