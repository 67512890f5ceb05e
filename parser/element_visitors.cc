#include "parser/element_visitors.h"

#include <string>

namespace millrace {

Result<void> VisitorList::OnStartMaster(const ElementHeader& element) {
  for (MkvVisitor* visitor : visitors_) MILLRACE_RETURN_IF_ERROR(visitor->OnStartMaster(element));
  return {};
}

Result<void> VisitorList::OnEndMaster(const ElementHeader& element, std::uint64_t end_offset) {
  for (MkvVisitor* visitor : visitors_) MILLRACE_RETURN_IF_ERROR(visitor->OnEndMaster(element, end_offset));
  return {};
}

Result<void> VisitorList::OnData(const ElementHeader& element, const ElementData& data) {
  for (MkvVisitor* visitor : visitors_) MILLRACE_RETURN_IF_ERROR(visitor->OnData(element, data));
  return {};
}

Result<void> ElementCounter::OnEndMaster(const ElementHeader& element, std::uint64_t /*end_offset*/) {
  ++counts_[element.id];
  return {};
}

Result<void> ElementCounter::OnData(const ElementHeader& element, const ElementData& /*data*/) {
  ++counts_[element.id];
  return {};
}

std::uint64_t ElementCounter::count(ElementId id) const {
  const auto found = counts_.find(id);
  return found == counts_.end() ? 0 : found->second;
}

Result<void> ElementMap::Add(const ElementHeader& element, std::uint64_t end_offset) {
  if (entries_.size() >= elements_max_) {
    return Error{ErrorCode::kResourceExhausted, ElementName(element.id) + " at offset " +
                                                    std::to_string(element.offset) +
                                                    " is more than the map may hold"};
  }
  entries_.push_back({element, end_offset, open_.size()});
  return {};
}

Result<void> ElementMap::OnStartMaster(const ElementHeader& element) {
  MILLRACE_RETURN_IF_ERROR(Add(element, 0));
  open_.push_back(entries_.size() - 1);
  return {};
}

Result<void> ElementMap::OnEndMaster(const ElementHeader& /*element*/, std::uint64_t end_offset) {
  entries_[open_.back()].end_offset = end_offset;
  open_.pop_back();
  return {};
}

Result<void> ElementMap::OnData(const ElementHeader& element, const ElementData& data) {
  return Add(element, element.payload_offset() + data.span().size());
}

}  // namespace millrace
