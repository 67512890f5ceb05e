// Where the face of the made picture is: known to camera-sim, which draws it, and to the tests that look for
// it.
//
// astronaut.png (512 x 512) wanders over the picture, comes nearer and goes away; it is always whole and
// upright, and its face never smaller than a tenth of the picture's height.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

namespace millrace::camera_sim {

struct FacePlace {  // pixels; x and y of the upper left corner
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
};

// The whole square of astronaut.png in picture `index` of a clip.
inline FacePlace PortraitPlace(int index, int fps, int width, int height) {
  const double t = static_cast<double>(index) / fps;
  const double zoom = 0.70 + 0.20 * std::sin(2 * std::numbers::pi * t / 7);
  const int side = std::min({static_cast<int>(height * zoom), width, height});
  const auto wander = [t](int room, double period_s) {
    return static_cast<int>(room * (0.5 + 0.5 * std::sin(2 * std::numbers::pi * t / period_s)));
  };
  return {static_cast<double>(wander(width - side, 11)), static_cast<double>(wander(height - side, 13)),
          static_cast<double>(side), static_cast<double>(side)};
}

// The face in it: from the hair on the forehead to the chin, and from cheek to cheek.
inline FacePlace FaceIn(const FacePlace& portrait) {
  const double scale = portrait.width / 512;
  return {portrait.x + 181 * scale, portrait.y + 75 * scale, 90 * scale, 105 * scale};
}

}  // namespace millrace::camera_sim
