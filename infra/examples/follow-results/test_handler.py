"""`python3 -m unittest` in this folder; `cargo xtask test` runs it as well.

event.json has the shape of AWS's stream events and the records as the engine writes them: a success and the same
change once more, a job that was given up, one that was cancelled, one that was done again, a change that is no result,
a rejected message, and a removal by the time to live.
"""

import json
import pathlib
import unittest

import handler

EVENT = json.loads((pathlib.Path(__file__).parent / "event.json").read_text())
IDS = [
    "url_shortening#g:listing-1@1",
    "url_shortening#g:listing-2@3",
    "url_shortening#g:listing-3@2",
    "url_shortening#g:listing-1@2",
]


class Results(unittest.TestCase):
    def test_each_end_of_a_job_is_one_result_in_order(self):
        ended = [ended for _, ended in handler.results(EVENT)]
        self.assertEqual([one["id"] for one in ended], IDS)
        states = [one["state"] for one in ended]
        self.assertEqual(states, ["succeeded", "dead", "cancelled", "succeeded"])
        self.assertEqual(ended[0]["result"]["short_url"], "rebrand.ly/example-motors-042788")
        self.assertEqual((ended[1]["result"], ended[1]["why"].split(":")[0]), (None, "refused"))

    def test_a_duplicate_in_another_event_has_the_same_id(self):
        success = {"Records": [EVENT["Records"][1]]}
        again = {"Records": [EVENT["Records"][2]]}
        self.assertEqual(handler.results(success)[0][1], handler.results(again)[0][1])

    def test_a_removal_and_a_rejected_message_are_no_results(self):
        others = [r for r in EVENT["Records"] if r["eventName"] in ("REMOVE", "INSERT")]
        self.assertGreater(len(others), 2)
        self.assertEqual(handler.results({"Records": others}), [])

    def test_what_fails_comes_again_and_nothing_overtakes_it(self):
        delivered = []

        def deliver(ended):
            if ended["state"] == "dead":
                raise OSError("no route")
            delivered.append(ended["id"])

        answer = handler.handler(EVENT, None, deliver)
        number = EVENT["Records"][3]["dynamodb"]["SequenceNumber"]
        self.assertEqual(answer, {"batchItemFailures": [{"itemIdentifier": number}]})
        self.assertEqual(delivered, IDS[:1])

    def test_all_is_delivered(self):
        delivered = []
        answer = handler.handler(EVENT, None, lambda ended: delivered.append(ended["id"]))
        self.assertEqual((answer, delivered), ({"batchItemFailures": []}, IDS))


if __name__ == "__main__":
    unittest.main()
