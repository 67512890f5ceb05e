// A street in which two people walk to and fro, whose faces are known at each moment.
//
// The astronaut walks in the upper half and the footballer in the lower one, to opposite sides, so that they
// pass each other over and over; both come nearer and go away, the light changes, and the sensor makes noise.
#pragma once

#include <array>
#include <memory>
#include <opencv2/core.hpp>
#include <string>

namespace millrace::testing {

inline constexpr int kPeopleFps = 10;
inline constexpr std::size_t kPeople = 2;
// What they are called in collections.
inline constexpr std::array<const char*, kPeople> kPeopleNames = {"ada", "leo"};

class TwoPeople {
 public:
  TwoPeople();
  ~TwoPeople();

  static std::string Photograph(std::size_t person);  // the file that each was taken from

  // 720 x 1280 x 3, BGR, uint8, with camera-sim's frame counter. Called with 0, 1, 2, ….
  cv::Mat Draw(int index);
  // The face of each in picture `index`: from the hair on the forehead to the chin, and from cheek to cheek;
  // ratios.
  static cv::Rect2d FaceAt(std::size_t person, int index);

 private:
  struct Street;
  std::unique_ptr<Street> street_;
  std::array<cv::Mat, kPeople> portraits_;
  cv::RNG noise_;
};

}  // namespace millrace::testing
