// What the secret that an edge configuration names says of its camera.
//
// Threads: any; reads the secret, and so may wait for the disk.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "ingest/edge_cameras.h"
#include "ingest/secret_store.h"

namespace millrace::api {

// The value is the camera's URL, with user and password in it where it wants them, or a JSON object with
// the URL as its "MediaURI", as edge agents have it.
// Errors: kNotFound (no such secret here), kInvalidArgument (no URL of a camera); no text quotes the value.
Result<CameraAddress> AddressInSecret(SecretStore& secrets, std::string_view arn);

}  // namespace millrace::api
