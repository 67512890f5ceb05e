#include "consumers/motion/light_fit.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace millrace {
namespace {

constexpr int kStep = 5;  // pixels between those that are looked at
constexpr std::size_t kSamplesMin = 64;
constexpr int kRounds = 4;
constexpr float kGainMin = 0.2F;  // beyond, it is another picture
constexpr float kGainMax = 5.0F;
constexpr float kSpreadMin = 1.0F;  // levels: noise of the best camera
constexpr float kTukey = 4.685F;    // of the biweight, at 95% efficiency
constexpr float kMadToSigma = 1.4826F;

struct Sample {
  float before;
  float now;
};

float Residual(const LightChange& change, const Sample& sample) {
  return std::abs(sample.now - change.gain * sample.before - change.offset);
}

float MedianResidual(const LightChange& change, const std::vector<Sample>& samples,
                     std::vector<float>& scratch) {
  scratch.clear();
  for (const Sample& sample : samples) scratch.push_back(Residual(change, sample));
  const auto middle = scratch.begin() + static_cast<std::ptrdiff_t>(scratch.size() / 2);
  std::nth_element(scratch.begin(), middle, scratch.end());
  return *middle;
}

// Weighted least squares; `scale` 0: all pixels alike.
LightChange Fit(const LightChange& from, float scale, const std::vector<Sample>& samples) {
  double weights = 0;
  double x = 0;
  double y = 0;
  double xx = 0;
  double xy = 0;
  for (const Sample& sample : samples) {
    double weight = 1;
    if (scale > 0) {
      const double u = Residual(from, sample) / scale;
      if (u >= 1) continue;
      weight = (1 - u * u) * (1 - u * u);
    }
    weights += weight;
    x += weight * sample.before;
    y += weight * sample.now;
    xx += weight * sample.before * sample.before;
    xy += weight * sample.before * sample.now;
  }
  if (weights < 1) return from;
  const double variance = xx / weights - (x / weights) * (x / weights);
  const double covariance = xy / weights - (x / weights) * (y / weights);
  LightChange change;
  // An even picture says nothing of the contrast.
  change.gain =
      variance < 4 ? 1.0F : std::clamp(static_cast<float>(covariance / variance), kGainMin, kGainMax);
  change.offset = static_cast<float>(y / weights - change.gain * x / weights);
  return change;
}

}  // namespace

LightChange FitLightChange(const cv::Mat& before, const cv::Mat& now, const cv::Mat& mask) {
  std::vector<Sample> samples;
  samples.reserve(static_cast<std::size_t>((now.rows / kStep + 1) * (now.cols / kStep + 1)));
  for (int row = kStep / 2; row < now.rows; row += kStep) {
    const float* from = before.ptr<float>(row);
    const float* to = now.ptr<float>(row);
    const std::uint8_t* wanted = mask.ptr<std::uint8_t>(row);
    for (int column = kStep / 2; column < now.cols; column += kStep) {
      if (wanted[column] != 0) samples.push_back({from[column], to[column]});
    }
  }
  LightChange best;
  if (samples.size() < kSamplesMin) return best;
  std::vector<float> scratch;
  scratch.reserve(samples.size());
  best.residual = MedianResidual(best, samples, scratch);
  for (const bool from_all : {false, true}) {
    // Where no change fits already, nothing is to be gained from the second beginning.
    if (from_all && best.residual < 2 * kSpreadMin) break;
    LightChange change = from_all ? Fit({}, 0, samples) : LightChange{};
    for (int round = 0; round < kRounds; ++round) {
      const float spread = std::max(kMadToSigma * MedianResidual(change, samples, scratch), kSpreadMin);
      change = Fit(change, kTukey * spread, samples);
    }
    change.residual = MedianResidual(change, samples, scratch);
    if (change.residual <= best.residual) best = change;
  }
  return best;
}

}  // namespace millrace
