#include "api/access/access_policy.h"

#include <algorithm>

#include "base/text.h"

namespace millrace::api {
namespace {

bool MatchesAny(const std::vector<std::string>& patterns, std::string_view text, bool ignore_case) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return MatchesWildcards(pattern, text, ignore_case);
  });
}

}  // namespace

bool MatchesWildcards(std::string_view pattern, std::string_view text, bool ignore_case) {
  std::size_t p = 0;
  std::size_t t = 0;
  // Where the last star stood, and how much of the text it has taken: only that one ever needs more.
  std::size_t star = std::string_view::npos;
  std::size_t taken = 0;
  while (t < text.size()) {
    const bool same = p < pattern.size() && pattern[p] != '*' &&
                      (pattern[p] == '?' || pattern[p] == text[t] ||
                       (ignore_case && AsciiLower(pattern[p]) == AsciiLower(text[t])));
    if (same) {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Decision Decide(std::span<const std::shared_ptr<const Policy>> policies, std::string_view action,
                std::string_view resource) {
  Decision decision = Decision::kNotAllowed;
  for (const auto& policy : policies) {
    for (const PolicyStatement& statement : policy->statements) {
      if (statement.allow && decision == Decision::kAllowed) continue;
      if (!MatchesAny(statement.actions, action, true)) continue;
      if (!MatchesAny(statement.resources, resource, false)) continue;
      if (MatchesAny(statement.except, resource, false)) continue;
      if (!statement.allow) return Decision::kDenied;
      decision = Decision::kAllowed;
    }
  }
  return decision;
}

}  // namespace millrace::api
