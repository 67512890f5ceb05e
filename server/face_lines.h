// The records of analysed frames as lines for people.
#pragma once

#include <boost/json/object.hpp>

namespace millrace::server {

// A page of GET /v1/streams/{name}/faces. For people: a line for each face, and for what was not analysed;
// for machines: a line of JSON for each record.
void PrintFaceRecords(const boost::json::object& page, bool json);

}  // namespace millrace::server
