#include "consumers/vision/zone_options.h"

#include <algorithm>
#include <set>
#include <utility>

namespace millrace {
namespace {

constexpr std::size_t kZonesMax = 32;
constexpr std::size_t kCornersMax = 64;
constexpr std::size_t kNameBytesMax = 64;

bool IsCorner(const boost::json::value& value) {
  const auto* pair = value.if_array();
  if (pair == nullptr || pair->size() != 2) return false;
  return std::all_of(pair->begin(), pair->end(), [](const boost::json::value& ratio) {
    return ratio.is_number() && ratio.to_number<double>() >= 0 && ratio.to_number<double>() <= 1;
  });
}

bool IsName(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ' ';
  });
}

}  // namespace

void ReadZones(OptionReader& reader, std::string_view name, std::vector<Zone>& zones) {
  if (!reader.Has(name)) return;
  std::vector<Zone> read;
  std::set<std::string> names;
  reader.Objects(name, kZonesMax, [&](OptionReader& item) {
    Zone& zone = read.emplace_back();
    item.Text("name", zone.name, kNameBytesMax);
    if (!IsName(zone.name))
      item.Fail("name", "must be letters, digits, spaces and -_. (each zone needs one)");
    if (!names.insert(zone.name).second) item.Fail("name", "is another one's already");
    const boost::json::value* polygon = item.Raw("polygon");
    const auto* corners = polygon != nullptr ? polygon->if_array() : nullptr;
    if (corners == nullptr || corners->size() < 3 || corners->size() > kCornersMax ||
        !std::all_of(corners->begin(), corners->end(), IsCorner)) {
      item.Fail(
          "polygon",
          "must be a list of 3 to 64 corners [x, y], each from 0 to 1: parts of the picture's width and "
          "height, from the top left");
      return;
    }
    for (const boost::json::value& corner : *corners) {
      const auto& pair = corner.get_array();
      zone.polygon.emplace_back(pair[0].to_number<double>(), pair[1].to_number<double>());
    }
  });
  if (!read.empty()) zones = std::move(read);
}

boost::json::array ToJson(const std::vector<Zone>& zones) {
  boost::json::array list;
  for (const Zone& zone : zones) {
    boost::json::array corners;
    for (const cv::Point2d& corner : zone.polygon) corners.push_back({corner.x, corner.y});
    list.push_back({{"name", zone.name}, {"polygon", std::move(corners)}});
  }
  return list;
}

}  // namespace millrace
