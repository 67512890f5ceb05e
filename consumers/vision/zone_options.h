// Zones and masks as options of analyzers: [{"name": "door", "polygon": [[0.1, 0.2], …]}, …].
#pragma once

#include <boost/json/array.hpp>
#include <string_view>
#include <vector>

#include "consumers/analysis/option_reader.h"
#include "consumers/vision/zone_map.h"

namespace millrace {

// At most 32 of them, of 3 to 64 corners each, under names of their own (letters, digits, spaces, "-_.", at
// most 64). `zones` stays as it is where the member is not given, or an empty list. Errors: the reader's.
void ReadZones(OptionReader& reader, std::string_view name, std::vector<Zone>& zones);
// As they were read.
boost::json::array ToJson(const std::vector<Zone>& zones);

}  // namespace millrace
