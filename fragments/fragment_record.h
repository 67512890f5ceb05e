// How a fragment lies in the fragment log: the attributes of its record.
#pragma once

#include "fragments/fragment.h"
#include "storage/record_log.h"

namespace millrace {

inline constexpr storage::AttributeId kNumberAttribute = 1;
inline constexpr storage::AttributeId kProducerAttribute = 2;  // its start
inline constexpr storage::AttributeId kServerAttribute = 3;    // likewise
inline constexpr storage::AttributeId kFactsAttribute = 16;
inline constexpr storage::AttributeId kProducerEndAttribute = 17;  // of holds; older records have none

inline Result<FragmentFacts> FactsOf(const storage::RecordInfo& info) {
  auto facts = DecodeFacts(info.Find(kFactsAttribute));
  if (!facts) return WithContext(std::move(facts).error(), "record " + info.sequence_number.ToString());
  return facts;
}

}  // namespace millrace
