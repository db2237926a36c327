/** The line of `percept doctor` about Hailo devices. */
import { bridgePlaces } from '../backends/hailo/bridge-places.ts';
import { foundOf, problemsOf, surveyHailo } from '../backends/hailo/survey.ts';
import { readEnvironment } from '../config/environment.ts';
import type { Config } from '../config/schema.ts';

/** Long enough for a library that waits for a device to answer; a hanging one is ended then. */
const SURVEY_TIMEOUT_MS = 15_000;

/** Where nothing asks for a device, its absence is no flaw. */
export async function checkHailo({
  home,
  hailo,
  profile,
}: Pick<Config, 'home' | 'hailo' | 'profile'>): Promise<{
  readonly state: 'ok' | 'warn';
  readonly message: string;
}> {
  const survey = await surveyHailo({
    library: hailo.library,
    bridges: bridgePlaces(home, hailo.bridge),
    env: readEnvironment(),
    timeoutMs: SURVEY_TIMEOUT_MS,
  });
  const problems = problemsOf(survey);
  const found = foundOf(survey);
  const isWanted = profile.startsWith('hailo-') || hailo.library !== 'auto' || hailo.multiProcessService;
  if (found === '' && (problems.length === 0 || !isWanted))
    return isWanted
      ? {
          state: 'warn',
          message:
            'no Hailo device; models run on the CPU. For a device, install HailoRT with its driver and see that it is plugged in',
        }
      : { state: 'ok', message: 'no Hailo device; models run on the CPU' };
  if (problems.length === 0) return { state: 'ok', message: found };
  return { state: 'warn', message: `${problems.join('; ')}${found === '' ? '' : ` (found: ${found})`}` };
}
