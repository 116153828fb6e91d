// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "lm/language_model.h"
#include "suite/exam.h"

namespace keju {

// What an examinee is asked for one item under the exam's protocol: one request, or two where
// options are scored without the question as well (ChoiceScore::kPmi). The caller sets the ids.
// Where the protocol concludes and the item has no answer yet, it is the generation of that one.
std::vector<Request> make_requests(const Exam& exam, ExamItem item);
std::vector<Request> make_requests(const std::string& suite,
                                   const Protocol& protocol,
                                   ExamItem item);

// How many requests an item is under the protocol, the last time that it is asked.
int requests_per_item(const Protocol& protocol);

// The responses to an item's requests, in their order, as the one that is judged and stored: the
// continuations of the second behind those of the first. Its id is the first's.
Response merged(std::vector<Response> parts);

}  // namespace keju
