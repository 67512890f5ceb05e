#include "api/http/router.h"

#include <algorithm>
#include <cassert>

namespace millrace::api {
namespace {

bool IsParameter(std::string_view segment) { return segment.size() > 2 && segment.front() == '{'; }
bool IsRest(std::string_view segment) { return IsParameter(segment) && segment.ends_with("...}"); }

std::vector<std::string> Split(std::string_view pattern) {
  std::vector<std::string> segments;
  assert(!pattern.empty() && pattern.front() == '/');
  pattern.remove_prefix(1);
  while (!pattern.empty()) {
    auto slash = pattern.find('/');
    segments.emplace_back(pattern.substr(0, slash));
    if (slash == std::string_view::npos) break;
    pattern.remove_prefix(slash + 1);
  }
  return segments;
}

// Sorts literal segments before parameters, and those before a rest, place by place.
std::vector<int> Rank(const std::vector<std::string>& segments) {
  std::vector<int> rank;
  for (const std::string& segment : segments)
    rank.push_back(IsRest(segment) ? 2 : IsParameter(segment) ? 1 : 0);
  return rank;
}

}  // namespace

void Router::Add(std::string method, std::string pattern, Handler handler) {
  auto same =
      std::find_if(routes_.begin(), routes_.end(), [&](const Route& r) { return r.pattern == pattern; });
  if (same == routes_.end()) {
    Route route{pattern, Split(pattern), {}};
    auto rank = Rank(route.segments);
    auto place = std::find_if(routes_.begin(), routes_.end(),
                              [&](const Route& other) { return rank < Rank(other.segments); });
    same = routes_.insert(place, std::move(route));
  }
  bool added = same->handlers.emplace(std::move(method), std::move(handler)).second;
  assert(added);
  (void)added;
}

bool Router::Matches(const Route& route, const std::vector<std::string>& segments,
                     PathParameters& parameters) {
  parameters.clear();
  for (std::size_t i = 0; i < route.segments.size(); ++i) {
    const std::string& want = route.segments[i];
    if (IsRest(want)) {
      std::string rest;
      for (std::size_t k = i; k < segments.size(); ++k) rest += (k == i ? "" : "/") + segments[k];
      parameters.emplace_back(want.substr(1, want.size() - 5), std::move(rest));
      return true;
    }
    if (i >= segments.size()) return false;
    if (IsParameter(want)) {
      if (segments[i].empty()) return false;
      parameters.emplace_back(want.substr(1, want.size() - 2), segments[i]);
    } else if (want != segments[i]) {
      return false;
    }
  }
  return route.segments.size() == segments.size();
}

Router::Match Router::Find(std::string_view method, const std::vector<std::string>& segments) const {
  Match match;
  for (const Route& route : routes_) {
    if (!Matches(route, segments, match.parameters)) continue;
    match.pattern = route.pattern;
    std::string wanted(method == "HEAD" ? "GET" : method);
    auto handler = route.handlers.find(wanted);
    if (handler != route.handlers.end()) match.handler = &handler->second;
    for (const auto& [name, unused] : route.handlers) {
      if (name != "OPTIONS" && name != kWebSocketMethod)
        match.allow += name + (name == "GET" ? ", HEAD, " : ", ");
    }
    match.allow += "OPTIONS";
    return match;
  }
  match.parameters.clear();
  return match;
}

}  // namespace millrace::api
