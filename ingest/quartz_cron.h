// Times that a Quartz cron expression names: "0 0 8 ? * MON-FRI" is eight o'clock on working days. In UTC.
//
//   field         values                      and
//   seconds       0-59                        , - * /
//   minutes       0-59                        , - * /
//   hours         0-23                        , - * /
//   day of month  1-31                        , - * / ? L L-3 LW L-3W 15W
//   month         1-12 or JAN-DEC             , - * /
//   day of week   1-7 or SUN-SAT, 1 is SUN    , - * / ? L 6L 6#3
//   year          1970-2099, may be left out  , - * /
//
// As Quartz has it: one of the two days, and only one, is '?'; a range may run over its end ("FRI-MON");
// "5/15" is from 5 on, every 15th; L, W and # stand alone, not in a list. A month that does not have the day
// that is asked for ("31W") is passed over.
//
// Errors:  kInvalidArgument, which names the field and what is wrong with it.
// Threads: a value that does not change after it was made; any.
#pragma once

#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace millrace {

class QuartzCron {
 public:
  static Result<QuartzCron> Parse(std::string_view expression);

  // The first one after `after`, a whole second; none: there is none before the year 2100.
  std::optional<Timestamp> Next(Timestamp after) const;

 private:
  static constexpr int kYearFirst = 1970;
  static constexpr int kYearLast = 2099;
  using Values = std::bitset<kYearLast - kYearFirst + 1>;  // of a field, from its least value on

  enum class DayRule : std::uint8_t {
    kAny,             // '?'
    kListed,          // of days_ or weekdays_
    kLast,            // the month's last day, or `day_offset_` days before it
    kLastWeekday,     // the working day nearest to that, within the month
    kNearestWeekday,  // the working day nearest to day_, within the month
    kLastOfMonth,     // the month's last weekday_
    kNthOfMonth,      // the month's nth_ weekday_
  };

  bool MatchesDay(std::chrono::year_month_day date) const;
  static Result<QuartzCron> ParseFields(const std::array<std::string_view, 7>& fields);
  Result<void> ParseDayOfMonth(std::string_view text);
  Result<void> ParseDayOfWeek(std::string_view text);

  Values seconds_, minutes_, hours_, days_, months_, weekdays_, years_;
  DayRule day_rule_ = DayRule::kAny;
  DayRule weekday_rule_ = DayRule::kAny;
  unsigned day_ = 0;         // 1-31
  unsigned day_offset_ = 0;  // 0-30
  unsigned weekday_ = 0;     // 0 is Sunday
  unsigned nth_ = 0;         // 1-5
};

}  // namespace millrace
