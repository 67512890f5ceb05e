#include "consumers/faces/face_recognizer.h"

#include "consumers/faces/lbph_recognizer.h"
#include "consumers/faces/sface_recognizer.h"

namespace millrace {

Result<std::unique_ptr<FaceRecognizer>> MakeFaceRecognizer(const RecognizerSettings& settings) {
  if (!settings.model.empty()) return SfaceRecognizer::Open(settings.model);
  return std::unique_ptr<FaceRecognizer>(std::make_unique<LbphRecognizer>());
}

}  // namespace millrace
