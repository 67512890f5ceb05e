#include "parser/element_reader.h"

namespace millrace {

Result<void> ElementReader::OnStartMaster(const ElementHeader& element) {
  ahead_.Add({MkvElement::Kind::kStart, element, 0, {}});
  return {};
}

Result<void> ElementReader::OnEndMaster(const ElementHeader& element, std::uint64_t end_offset) {
  ahead_.Add({MkvElement::Kind::kEnd, element, end_offset, {}});
  return {};
}

Result<void> ElementReader::OnData(const ElementHeader& element, const ElementData& data) {
  ahead_.Add({MkvElement::Kind::kData, element, element.payload_offset() + data.span().size(), data.Share()});
  return {};
}

}  // namespace millrace
